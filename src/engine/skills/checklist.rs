//! The points of a checklist in Markdown.

/// Most points.
const MOST: usize = 100;

/// The list items of `text` that are not ticked: those below the heading `section`, down to the next that is no lower, or
/// all. Each carries the headings within the section that it stands below. `None` when there is no such section.
pub(super) fn points(text: &str, section: Option<&str>) -> Option<Vec<String>> {
    // Without a section everything is in it.
    let mut within = section.is_none().then_some(0);
    let (mut found, mut headings) = (within.is_some(), Vec::<(usize, &str)>::new());
    let (mut points, mut fence) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark)) {
            fence = match fence {
                None => Some(mark),
                Some(open) if open == mark => None,
                open => open,
            };
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if let Some((depth, title)) = heading(line) {
            if within.is_some_and(|top| top > 0 && depth <= top) {
                within = None;
            }
            if within.is_none() && section.is_some_and(|wanted| is_same(wanted, title)) {
                (within, found) = (Some(depth), true);
                headings.clear();
            } else {
                headings.retain(|(higher, _)| *higher < depth);
                headings.push((depth, title));
            }
            continue;
        }
        if within.is_some()
            && let Some(point) = item(line)
            && points.len() < MOST
        {
            let above = headings.iter().map(|(_, title)| *title).chain([point]);
            points.push(above.collect::<Vec<_>>().join(" / "));
        }
    }
    found.then_some(points)
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let title = line.trim_start_matches('#');
    let depth = line.len() - title.len();
    let is_heading = (1..=6).contains(&depth) && title.starts_with(' ');
    is_heading.then(|| (depth, title.trim().trim_end_matches('#').trim()))
}

fn is_same(wanted: &str, title: &str) -> bool {
    wanted.trim().to_lowercase() == title.to_lowercase()
}

/// What a list item says, unless it is ticked.
fn item(line: &str) -> Option<&str> {
    let bullet = ["- ", "* ", "+ "].into_iter().find_map(|bullet| line.strip_prefix(bullet));
    let numbered = || {
        let rest = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
        (rest.len() < line.len()).then(|| rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")))?
    };
    let text = bullet.or_else(numbered)?.trim();
    if text.starts_with("[x]") || text.starts_with("[X]") {
        return None;
    }
    let text = text.strip_prefix("[ ]").unwrap_or(text).trim();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Soul\n- not this\n\n## Self-check ##\n- [ ] tests\n- [x] done\n### Naming\n* short\n1. plain\n```\n- code\n```\n#tag\n## After\n- nor this\n";

    #[test]
    fn open_points_of_a_section_carry_its_lower_headings() {
        let points = points(TEXT, Some("self-CHECK")).unwrap();
        assert_eq!(points, ["tests", "Naming / short", "Naming / plain"]);
    }

    #[test]
    fn all_of_a_text_or_nothing_of_it() {
        assert_eq!(points(TEXT, None).unwrap().len(), 5);
        assert_eq!(points(TEXT, Some("nowhere")), None);
        assert_eq!(points("## Empty\n", Some("Empty")), Some(vec![]));
        assert_eq!(points(&"- a\n".repeat(500), None).unwrap().len(), MOST);
    }
}
