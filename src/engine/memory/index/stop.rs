//! Words that say nothing about what a text is about.

/// English, lower case, and what contractions leave of words.
const ENGLISH: &str = "a about above after again against ain all am an and any are aren as at be because been before \
    being below between both but by can cannot could couldn d did didn do does doesn doing don down during each few for \
    from further had hadn has hasn have haven having he her here hers herself him himself his how i if in into is isn it \
    its itself just let ll m me more most mustn my myself no nor not of off on once only or other ought our ours ourselves \
    out over own re s same shan she should shouldn so some such t than that the their theirs them themselves then there \
    these they this those through to too under until up ve very was wasn we were weren what when where which while who \
    whom whose why will with won would wouldn you your yours yourself yourselves also";

/// Chinese, as the dictionary cuts words.
const CHINESE: &str = "的 了 吗 呢 吧 啊 呀 嘛 是 在 我 你 您 他 她 它 们 我们 你们 他们 她们 它们 咱们 这 那 这个 那个 \
    这些 那些 这样 那样 这里 那里 什么 怎么 怎样 如何 为什么 为何 哪 哪个 哪些 哪里 谁 多少 几 有 没有 没 和 与 或 及 以及 \
    就 都 也 还 很 把 被 给 让 从 到 对 向 于 以 而 但 但是 如果 因为 所以 请 请问 一个 一下 一些 会 能 可以 应该 要 得 地 \
    着 过 吗 其 之 则 等 并 且 并且 而且 不 是否 是不是 有没有 时候 关于 对于 上 下 里 中 个 又 再 呗 哦 嗯 曾 曾经 用 做";

/// Whether a word says nothing; `word` in lower case, before its ending is cut.
pub(super) fn is_stop(word: &str) -> bool {
    use std::{collections::HashSet, sync::LazyLock};
    static WORDS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| ENGLISH.split_whitespace().chain(CHINESE.split_whitespace()).collect());
    WORDS.contains(word)
}
