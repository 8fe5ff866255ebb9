//! Carrying memories out and in.

use std::{collections::HashMap, fmt::Write as _};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Category, Clearance, Entry, Error, Holder, Memory, New, Query,
    entry::{new_id, written},
    foreign,
    traits::{self, Traits},
};
use crate::base::clock;

/// Most bytes of a text that is imported.
const MOST_BYTES: usize = 64 << 20;
/// Most faults that are told one by one.
const TOLD: usize = 20;

/// In which form memories are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// One entry a line, as they are kept.
    Jsonl,
    /// A list for people, of what holds.
    Markdown,
    /// The memories of Mem0, as its `get_all` gives them; of what holds.
    Mem0,
    /// Passages of Letta's archival memory; of what holds. Blocks and agent files are taken, too.
    Letta,
}

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Imported {
    /// Entries that were added.
    pub added: usize,
    /// Entries that were there.
    pub known: usize,
    /// Lines that are no entries, and why; the first of them.
    pub refused: Vec<String>,
    /// How many these are.
    pub refused_count: usize,
    /// What was there and could not be carried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Imported {
    fn refuse(&mut self, line: usize, reason: &dyn std::fmt::Display) {
        self.refuse_what(&format!("line {line}"), reason);
    }

    /// Refuses what stands at `place`.
    pub(super) fn refuse_what(&mut self, place: &str, reason: &dyn std::fmt::Display) {
        self.refused_count += 1;
        if self.refused.len() < TOLD {
            self.refused.push(format!("{place}: {reason}"));
        }
    }
}

impl Memory {
    /// The memory of `holder` as text, as far as the reader may be told, the oldest first. Gives how many entries were held
    /// back, too.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub fn export(
        &self,
        holder: &Holder,
        form: Transfer,
        clearance: &Clearance,
    ) -> Result<(String, usize), Error> {
        let all = Query { all: form == Transfer::Jsonl, limit: usize::MAX, ..Query::default() };
        let mut found = self.query(holder, &all, clearance)?;
        found.entries.reverse();
        let mut text = String::new();
        match form {
            Transfer::Jsonl => {
                for entry in &found.entries {
                    let _ = writeln!(text, "{}", serde_json::to_string(entry)?);
                }
            }
            Transfer::Markdown => {
                let _ = writeln!(text, "# {}\n", holder.name());
                for entry in &found.entries {
                    text.push_str(&bullet(entry));
                }
            }
            Transfer::Mem0 => text = foreign::mem0(&found.entries)?,
            Transfer::Letta => text = foreign::letta(&found.entries)?,
        }
        Ok((text, found.held_back))
    }

    /// Adds what `text` holds to the memory of `holder`, all of it at once. Ids and times are kept where that can be; what
    /// is there already is not added again.
    ///
    /// # Errors
    /// [`Error::Unfit`] when it is too long or no such document, [`Error::Store`] when the disk refuses.
    pub fn import(&self, holder: &Holder, form: Transfer, text: &str) -> Result<Imported, Error> {
        if text.len() > MOST_BYTES {
            return Err(Error::Unfit(format!(
                "what is imported has at most {MOST_BYTES} bytes; import it in parts"
            )));
        }
        let mut done = Imported::default();
        let entries = match form {
            Transfer::Jsonl => of_lines(holder, text, &mut done),
            Transfer::Markdown => of_bullets(holder, text, &mut done),
            Transfer::Mem0 => fits(foreign::of_mem0(text, &mut done)?, holder, &mut done),
            Transfer::Letta => fits(foreign::of_letta(text, &mut done)?, holder, &mut done),
        };
        let book = self.shelf(&Self::home(&self.folder, holder));
        let mut book = book.lock();
        book.edit(|view, edit| {
            let now = clock::now();
            let mut new: HashMap<String, Entry> = HashMap::new();
            for mut entry in entries {
                let kept = view.get(&entry.id).map(|card| view.entry(card)).transpose()?;
                let before = kept.as_ref().or_else(|| new.get(&entry.id));
                if before.is_some_and(|known| known.content == entry.content)
                    || entry.is_live() && view.same(&entry, now)?.is_some()
                {
                    done.known += 1;
                    continue;
                }
                while view.get(&entry.id).is_some() || new.contains_key(&entry.id) {
                    entry.id = new_id(now);
                }
                done.added += 1;
                new.insert(entry.id.clone(), entry.clone());
                edit.add(entry);
            }
            Ok(())
        })?;
        Ok(done)
    }
}

fn of_lines(holder: &Holder, text: &str, done: &mut Imported) -> Vec<Entry> {
    let now = clock::now();
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Entry>(line)
            .map_err(|error| error.to_string())
            .and_then(|entry| fit(entry, holder, now).map_err(|error| error.to_string()))
        {
            Ok(entry) => entries.push(entry),
            Err(reason) => done.refuse(number, &reason),
        }
    }
    entries
}

/// Those of `entries` that are within the bounds of new ones; each comes with its place.
fn fits(entries: Vec<(String, Entry)>, holder: &Holder, done: &mut Imported) -> Vec<Entry> {
    let now = clock::now();
    let mut fitting = Vec::new();
    for (place, entry) in entries {
        match fit(entry, holder, now) {
            Ok(entry) => fitting.push(entry),
            Err(error) => done.refuse_what(&place, &error),
        }
    }
    fitting
}

/// The entry within the bounds of new ones, in the memory of `holder`.
fn fit(mut entry: Entry, holder: &Holder, now: Timestamp) -> Result<Entry, Error> {
    traits::content(&entry.content)?;
    let is_id = (1..=64).contains(&entry.id.len())
        && entry.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_id {
        entry.id = new_id(now);
    }
    if entry.created() <= Timestamp::UNIX_EPOCH {
        entry.created_at = written(now);
    }
    if !holder.is(&entry.employee) && entry.origin_employee.is_empty() {
        entry.origin_employee.clone_from(&entry.employee);
    }
    holder.name().clone_into(&mut entry.employee);
    entry.source_session = traits::line("source_session", &entry.source_session)?;
    let traits = Traits {
        confidence: Some(entry.confidence),
        importance: Some(entry.importance),
        ttl_days: Some(entry.ttl_days),
        tags: Some(entry.tags.clone()),
        keywords: Some(entry.keywords.clone()),
        domain: Some(entry.domain.clone()),
        applicability: Some(entry.applicability.clone()),
        shared: Some(entry.shared),
        trigger_condition: Some(entry.trigger_condition.clone()),
        ..Traits::default()
    };
    let (category, content) = (entry.category, entry.content.clone());
    let checked = New { traits, ..New::of(category, content) }.entry(holder.name(), now)?;
    (entry.tags, entry.keywords) = (checked.tags, checked.keywords);
    Ok(entry)
}

/// `- [finding] 2026-11-25 text #tag`, further lines of the text indented.
fn bullet(entry: &Entry) -> String {
    let day = entry.created().strftime("%Y-%m-%d");
    let content = entry.content.replace('\n', "\n  ");
    let tags = entry.tags.iter().fold(String::new(), |all, tag| all + " #" + tag);
    format!("- [{}{tags}] {day}: {content}\n", entry.category.as_str())
}

fn of_bullets(holder: &Holder, text: &str, done: &mut Imported) -> Vec<Entry> {
    let mut items: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
            items.push((number, item.to_owned()));
        } else if let Some((_, item)) = items.last_mut()
            && (line.starts_with("  ") || line.trim().is_empty())
        {
            item.push('\n');
            item.push_str(line.strip_prefix("  ").unwrap_or(line));
        }
    }
    let mut entries = Vec::new();
    for (number, item) in items {
        match of_bullet(holder, item.trim_end()) {
            Ok(entry) => entries.push(entry),
            Err(error) => done.refuse(number, &error),
        }
    }
    entries
}

fn of_bullet(holder: &Holder, item: &str) -> Result<Entry, Error> {
    let now = clock::now();
    let (head, rest) =
        item.strip_prefix('[').and_then(|item| item.split_once("] ")).unwrap_or(("finding", item));
    let mut words = head.split(' ');
    let word = words.next().unwrap_or_default();
    let Some(category) = Category::ALL.into_iter().find(|category| category.as_str() == word) else {
        return Err(Error::Unfit(format!(
            "there is no category `{}`; write `- [finding] text`",
            word.escape_debug()
        )));
    };
    let tags: Vec<String> = words.filter_map(|word| word.strip_prefix('#')).map(str::to_owned).collect();
    let day =
        rest.split_once(": ").and_then(|(day, text)| Some((day.parse::<jiff::civil::Date>().ok()?, text)));
    let traits = Traits { tags: Some(tags), ..Traits::default() };
    let content = day.map_or(rest, |(_, text)| text);
    let mut entry = New { traits, ..New::of(category, content) }.entry(holder.name(), now)?;
    if let Some(moment) = day.and_then(|(day, _)| day.to_zoned(jiff::tz::TimeZone::UTC).ok()) {
        entry.created_at = written(moment.timestamp());
    }
    Ok(entry)
}
