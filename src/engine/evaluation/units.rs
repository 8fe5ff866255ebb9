//! Units that are one, however they are written.

use crate::engine::surroundings::Language;

/// English, Chinese, and how else people write it.
const TIMES: [(&str, &str, &[&str]); 6] = [
    ("seconds", "秒", &["s", "sec", "secs", "second", "秒钟"]),
    ("minutes", "分钟", &["min", "mins", "minute", "分"]),
    ("hours", "小时", &["h", "hr", "hrs", "hour", "钟头"]),
    ("days", "天", &["d", "day", "日"]),
    ("weeks", "周", &["w", "wk", "week", "星期"]),
    ("months", "个月", &["month", "月"]),
];

/// The unit that `unit` is one of.
pub(super) fn same(unit: &str) -> String {
    let unit = unit.trim().to_lowercase();
    let is_one = |(english, chinese, others): &&(&str, &str, &[&str])| {
        [english, chinese].contains(&&unit.as_str()) || others.contains(&unit.as_str())
    };
    TIMES.iter().find(is_one).map_or(unit.clone(), |(english, ..)| (*english).to_owned())
}

/// What [`same`] gave, in a language.
pub(super) fn in_language(unit: &str, language: Language) -> &str {
    let time = TIMES.iter().find(|(english, ..)| *english == unit);
    time.map_or(unit, |(english, chinese, _)| language.pick(english, chinese))
}
