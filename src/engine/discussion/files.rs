//! The file a discussion is to be kept in. Values that come from outside become part of a name only once every letter
//! that could lead elsewhere is gone.

use jiff::Zoned;

use crate::{
    defs::{
        Discussion,
        template::{Asking, Place, Template},
    },
    engine::Args,
};

/// Longest value in a name, in characters.
const LONGEST: usize = 60;

/// Folder and name, when the discussion says it is to be kept.
pub(super) fn path(discussion: &Discussion, args: &Args, now: &Zoned) -> Option<String> {
    let output = discussion.output.as_ref().filter(|output| !output.filename.is_empty())?;
    let grammar = Asking { names: args, words: &["date", "datetime"] };
    let filled = Template::parse(&output.filename, &grammar).fill(|place| {
        Ok::<_, std::convert::Infallible>(match place {
            Place::Named(name) => {
                let value = args.get(name).map(String::as_str);
                let value = value.or((name == "topic").then_some(discussion.topic.as_str()));
                part(value.unwrap_or(name))
            }
            Place::Word("date") => now.strftime("%Y-%m-%d").to_string(),
            _ => now.strftime("%Y-%m-%d_%H%M%S").to_string(),
        })
    });
    let Ok(name) = filled;
    let parts = |path: &str| -> Vec<String> {
        let parts = path.split(['/', '\\']).map(str::trim);
        parts.filter(|part| !matches!(*part, "" | "." | "..")).map(str::to_owned).collect()
    };
    let name = parts(&name).join("/");
    let root = if output.dir.trim_start().starts_with('/') { "/" } else { "" };
    let dir = parts(&output.dir).join("/");
    Some(if dir.is_empty() { name } else { format!("{root}{dir}/{name}") })
}

/// `value` as part of a file's name: letters and digits of any script, `-`, `_` and inner dots.
fn part(value: &str) -> String {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let kept: String = value.chars().map(|letter| if fits(letter) { letter } else { '-' }).collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.trim_matches('.').is_empty()).collect();
    let short: String = words.join("-").trim_matches('.').chars().take(LONGEST).collect();
    if short.is_empty() { "-".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn nothing_leads_elsewhere() {
        assert_eq!(part("../../etc/passwd"), "etc-passwd");
        assert_eq!(part("发布 计划: v1.2?"), "发布-计划-v1.2");
        assert_eq!(part("..\\..\\x\0<>|*"), "x");
        assert_eq!(part("../.."), "-");
        assert_eq!(part(&"长".repeat(200)).chars().count(), 60);
    }
}
