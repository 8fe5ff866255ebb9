//! Which names a route is for: patterns, of which one must fit.

/// Patterns of names: `*` stands for anything but `/`, `**` for anything, `?` for one character. One that begins with `!`
/// keeps out what it fits. Nothing else has a meaning, so that `dependabot[bot]` is a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    wanted: Vec<String>,
    unwanted: Vec<String>,
    /// Whether upper and lower case are the same.
    any_case: bool,
}

impl Names {
    /// Those that one of `patterns` fits and none with `!`.
    pub(super) fn new(patterns: Vec<String>) -> Self {
        let (unwanted, wanted): (Vec<_>, Vec<_>) =
            patterns.into_iter().partition(|pattern| pattern.starts_with('!'));
        let unwanted =
            unwanted.into_iter().map(|pattern| pattern.trim_start_matches('!').to_owned()).collect();
        Self { wanted, unwanted, any_case: false }
    }

    /// The same in any case.
    pub(super) fn in_any_case(mut self) -> Self {
        let lower =
            |patterns: &mut Vec<String>| patterns.iter_mut().for_each(|one| *one = one.to_lowercase());
        lower(&mut self.wanted);
        lower(&mut self.unwanted);
        self.any_case = true;
        self
    }

    /// Whether `name` is among them; with no pattern every name is, and none at all too. One that is longer than any name
    /// there is, is not.
    pub fn fits(&self, name: Option<&str>) -> bool {
        let Some(name) = name else { return self.wanted.is_empty() };
        if name.len() > LONGEST {
            return false;
        }
        let lower;
        let name = if self.any_case {
            lower = name.to_lowercase();
            lower.as_str()
        } else {
            name
        };
        let fits =
            |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()));
        !fits(&self.unwanted) && (self.wanted.is_empty() || fits(&self.wanted))
    }
}

/// More bytes than any name of GitHub has.
const LONGEST: usize = 4096;

/// What follows a star, and the part of the name that it is tried on.
type Again<'n> = (&'n [u8], &'n [u8]);

/// Whether `pattern` fits `name` whole. Of the places that stars of one kind may have ended at only the last is tried again,
/// so that many stars take no longer than a few.
fn matches<'n>(mut pattern: &'n [u8], mut name: &'n [u8]) -> bool {
    // Where to go on when it does not fit: after the last star of each kind, and what is left of the name there.
    let (mut single, mut double): (Option<Again<'n>>, Option<Again<'n>>) = (None, None);
    loop {
        match (pattern, name) {
            ([b'*', b'*', rest @ ..], _) => {
                (double, single) = (Some((rest, name)), None);
                pattern = rest;
                continue;
            }
            ([b'*', rest @ ..], _) => {
                single = Some((rest, name));
                pattern = rest;
                continue;
            }
            ([], []) => return true,
            ([b'?', rest @ ..], [first, left @ ..]) if *first != b'/' => {
                // A character of several bytes is one.
                let more = left.iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
                (pattern, name) = (rest, left.get(more..).unwrap_or_default());
                continue;
            }
            ([one, rest @ ..], [first, left @ ..]) if one == first && *one != b'?' => {
                (pattern, name) = (rest, left);
                continue;
            }
            _ => {}
        }
        if let Some((rest, [first, left @ ..])) = single
            && *first != b'/'
        {
            (single, pattern, name) = (Some((rest, left)), rest, left);
        } else if let Some((rest, [_, left @ ..])) = double {
            (double, single, pattern, name) = (Some((rest, left)), None, rest, left);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], name: &str, expected: bool) {
        let names = Names::new(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        assert_eq!(names.fits(Some(name)), expected, "{patterns:?} {name}");
    }

    #[test]
    fn stars_stop_at_slashes_and_two_do_not() {
        check(&["main"], "main", true);
        check(&["main"], "mainly", false);
        check(&["release/*"], "release/1.0", true);
        check(&["release/*"], "release/1/0", false);
        check(&["release/**"], "release/1/0", true);
        check(&["**/fix"], "a/b/fix", true);
        check(&["*/fix"], "a/b/fix", false);
        check(&["**"], "a/b", true);
        check(&["*"], "a/b", false);
        check(&["*"], "", true);
        check(&["v?.*"], "v1.22", true);
        check(&["v?.*"], "v12", false);
        check(&["修?"], "修复", true);
        check(&["a*b*c"], "aXXbYYbZc", true);
        check(&["a*b*c"], "aXXbYYbZd", false);
        check(&["a**b*c"], "a/x/b/y/bzc", true);
        check(&["dependabot[bot]"], "dependabot[bot]", true);
        check(&["dependabot[bot]"], "dependabotb", false);
        check(&["*[bot]"], "renovate[bot]", true);
    }

    #[test]
    fn what_is_kept_out_goes_first() {
        check(&["!*[bot]"], "octocat", true);
        check(&["!*[bot]"], "renovate[bot]", false);
        check(&["octo*", "!octocat"], "octocat", false);
        check(&["octo*", "!octocat"], "octopus", true);
        check(&["octo*", "!octocat"], "hubot", false);
        assert!(Names::default().fits(None));
        assert!(Names::new(vec!["!a".to_owned()]).fits(None));
        assert!(!Names::new(vec!["a".to_owned()]).fits(None));
        assert!(Names::new(vec!["Octo/*".to_owned()]).in_any_case().fits(Some("octo/REPO")));
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let (pattern, name) = ("*a".repeat(200), "a".repeat(LONGEST));
        check(&[&pattern], &name, true);
        check(&[&format!("{pattern}b")], &name, false);
        check(&[&"**a*".repeat(50)], &"ab/".repeat(LONGEST / 3), false);
        check(&[&format!("{}**", "**a*".repeat(50))], &"ab/".repeat(LONGEST / 3), true);
        check(&[], &"a".repeat(LONGEST + 1), false);
    }
}
