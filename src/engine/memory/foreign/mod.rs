//! Memories as other programs hold them: those of Mem0, and the passages and blocks of Letta.
//!
//! What only we know of an entry goes with it as `crew` of its metadata, so that it comes back as it was; what only they
//! know is kept beside the entry, and goes back the same way. Nothing is left out in silence.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Category, Entry, Error,
    entry::{moment, written},
    traits::tags,
    transfer::Imported,
};
use crate::base::clock;

/// Under which name our fields are among their metadata.
const OURS: &str = "crew";
/// What stands elsewhere in their documents.
const ELSEWHERE: [&str; 2] = ["content", "superseded_by"];
/// Fields of theirs that Mem0 makes anew itself, or that are for one search only.
const MEM0_DERIVED: [&str; 3] = ["score", "hash", "embedding"];
/// The same of Letta.
const LETTA_DERIVED: [&str; 4] = ["embedding", "embedding_config", "embedding_model", "is_deleted"];

/// A program whose memories are read.
struct Program {
    name: &'static str,
    /// What a memory says.
    content: &'static str,
    /// Where its words for grouping are.
    words: &'static str,
    /// What it comes from.
    source: &'static str,
    derived: &'static [&'static str],
}

/// Most tags of an entry.
const MOST_TAGS: usize = 20;

/// What is not carried.
#[derive(Default)]
struct Left {
    /// Memories with fields that are made anew.
    derived: usize,
    /// Words that cannot be tags.
    words: usize,
}

const MEM0: Program = Program {
    name: "mem0",
    content: "memory",
    words: "categories",
    source: "run_id",
    derived: &MEM0_DERIVED,
};
const LETTA: Program =
    Program { name: "letta", content: "text", words: "tags", source: "source_id", derived: &LETTA_DERIVED };

/// `{"results": [{"id", "memory", "categories", "metadata", "created_at", …}]}`.
pub(super) fn mem0(entries: &[Entry]) -> Result<String, Error> {
    let results = entries.iter().map(|entry| MEM0.put(entry)).collect::<Result<Vec<_>, _>>()?;
    Ok(serde_json::to_string_pretty(&json!({ "results": results }))? + "\n")
}

/// `[{"id", "text", "tags", "metadata", "created_at", …}]`.
pub(super) fn letta(entries: &[Entry]) -> Result<String, Error> {
    let passages = entries.iter().map(|entry| LETTA.put(entry)).collect::<Result<Vec<_>, _>>()?;
    Ok(serde_json::to_string_pretty(&passages)? + "\n")
}

/// What `get_all` gives: `{"results": […]}`, or the list alone, as older versions gave it. Each with its place.
///
/// # Errors
/// [`Error::Unfit`] when it is neither.
pub(super) fn of_mem0(text: &str, done: &mut Imported) -> Result<Vec<(String, Entry)>, Error> {
    let wanted = "write what `get_all` of Mem0 gives: `{\"results\": [{\"memory\": \"…\"}]}`";
    let list = match document(text, wanted)? {
        Value::Array(list) => list,
        Value::Object(mut fields) => {
            let list = fields.remove("results").or_else(|| fields.remove("memories"));
            if fields.get("relations").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
                done.notes.push("`relations` is a graph, which is not carried".to_owned());
            }
            if fields.get("next").is_some_and(|next| !next.is_null()) {
                done.notes.push("this is one page of several; import the others as well".to_owned());
            }
            match list {
                Some(Value::Array(list)) => list,
                _ => return Err(Error::Unfit(wanted.to_owned())),
            }
        }
        _ => return Err(Error::Unfit(wanted.to_owned())),
    };
    Ok(MEM0.all("results", list, done))
}

/// Passages (a list of them, or `passages` of a document) and blocks (`blocks` of an agent file, or `core_memory` of an older
/// one). Each with its place.
///
/// # Errors
/// [`Error::Unfit`] when there is nothing of the kind.
pub(super) fn of_letta(text: &str, done: &mut Imported) -> Result<Vec<(String, Entry)>, Error> {
    let wanted =
        "write a list of passages, `[{\"text\": \"…\"}]`, or an agent file with `blocks` or `passages`";
    let mut fields = match document(text, wanted)? {
        Value::Array(list) => return Ok(LETTA.all("passages", list, done)),
        Value::Object(fields) => fields,
        _ => return Err(Error::Unfit(wanted.to_owned())),
    };
    let mut entries = Vec::new();
    let mut is_one = false;
    for (name, is_block) in
        [("passages", false), ("archival_memory", false), ("blocks", true), ("core_memory", true)]
    {
        let Some(Value::Array(list)) = fields.remove(name) else { continue };
        is_one = true;
        let list = if is_block { list.into_iter().map(of_block).collect() } else { list };
        entries.extend(LETTA.all(name, list, done));
    }
    if !is_one {
        return Err(Error::Unfit(wanted.to_owned()));
    }
    let is_something = |value: &Value| match value {
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    };
    let left: Vec<_> =
        fields.iter().filter(|(_, value)| is_something(value)).map(|(name, _)| name.as_str()).collect();
    if !left.is_empty() {
        done.notes.push(format!("not carried, as they are no memories: {}", left.join(", ")));
    }
    Ok(entries)
}

/// A block of a prompt as a passage: its label becomes a tag.
fn of_block(block: Value) -> Value {
    let Value::Object(mut fields) = block else { return block };
    if let Some(value) = fields.remove("value") {
        fields.insert("text".to_owned(), value);
    }
    if let Some(Value::String(label)) = fields.get("label") {
        let tags = json!(["block", label]);
        fields.insert("tags".to_owned(), tags);
    }
    Value::Object(fields)
}

fn document(text: &str, wanted: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Unfit(format!("it is no JSON: {error}; {wanted}")))
}

impl Program {
    /// An entry in their form.
    fn put(&self, entry: &Entry) -> Result<Value, Error> {
        let Value::Object(mut ours) = serde_json::to_value(entry)? else { return Ok(Value::Null) };
        let mut theirs = match ours.remove(self.name) {
            Some(Value::Object(theirs)) => theirs,
            _ => Map::new(),
        };
        ours.retain(|name, _| !ELSEWHERE.contains(&name.as_str()));
        let mut metadata = match theirs.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        metadata.insert(OURS.to_owned(), Value::Object(ours));
        theirs.entry("id").or_insert_with(|| json!(entry.id));
        theirs.insert(self.content.to_owned(), json!(entry.content));
        theirs.insert(self.words.to_owned(), json!(entry.tags));
        theirs.insert("metadata".to_owned(), Value::Object(metadata));
        theirs.insert("created_at".to_owned(), json!(written(entry.created())));
        if self.name == MEM0.name {
            theirs.entry("agent_id").or_insert_with(|| json!(entry.employee));
        }
        Ok(Value::Object(theirs))
    }

    /// Those of a list that are memories.
    fn all(&self, name: &str, list: Vec<Value>, done: &mut Imported) -> Vec<(String, Entry)> {
        let mut entries = Vec::new();
        let mut left = Left::default();
        for (number, item) in list.into_iter().enumerate() {
            let place = format!("`{name}[{number}]`");
            match self.take(item, &mut left) {
                Ok(entry) => entries.push((place, entry)),
                Err(reason) => done.refuse_what(&place, &reason),
            }
        }
        if left.derived > 0 {
            let names = self.derived.join("`, `");
            done.notes
                .push(format!("not carried, as they are made anew: `{names}` of {} memories", left.derived));
        }
        if left.words > 0 {
            done.notes.push(format!(
                "{} of their `{}` cannot be tags, and are not carried",
                left.words, self.words
            ));
        }
        entries
    }

    /// A memory of theirs as an entry.
    fn take(&self, item: Value, left: &mut Left) -> Result<Entry, String> {
        let Value::Object(mut theirs) = item else { return Err("it is no object".to_owned()) };
        let Some(Value::String(content)) = theirs.remove(self.content) else {
            return Err(format!("it has no text as `{}`", self.content));
        };
        let before = theirs.len();
        theirs.retain(|name, _| !self.derived.contains(&name.as_str()));
        left.derived += usize::from(theirs.len() < before);
        let words: Vec<String> = match theirs.get(self.words) {
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let text = |name: &str| theirs.get(name).and_then(Value::as_str).map(str::to_owned);
        let (id, created, source) = (text("id"), text("created_at"), text(self.source));
        let mut metadata = match theirs.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        let mut entry = match metadata.remove(OURS) {
            Some(Value::Object(mut ours)) => {
                ours.insert("content".to_owned(), Value::String(content));
                serde_json::from_value(Value::Object(ours))
                    .map_err(|error| format!("`metadata.{OURS}` is none of ours: {error}"))?
            }
            _ => {
                let category = metadata.get("category").and_then(Value::as_str);
                let known = Category::ALL.into_iter().find(|known| Some(known.as_str()) == category);
                // Whose it is says whoever imports it.
                Entry::new("", known.unwrap_or(Category::Finding), &content, clock::now())
            }
        };
        entry.id = id.unwrap_or(entry.id);
        if let Some(created) = created.as_deref().and_then(moment).filter(|at| *at > Timestamp::UNIX_EPOCH) {
            entry.created_at = written(created);
        }
        if entry.source_session.is_empty() {
            entry.source_session = source.unwrap_or_default();
        }
        if entry.tags.is_empty() {
            // Their words may be anything.
            let (fitting, others): (Vec<_>, Vec<_>) =
                words.into_iter().partition(|word| tags(std::slice::from_ref(word)).is_ok());
            left.words += others.len() + fitting.len().saturating_sub(MOST_TAGS);
            entry.tags = fitting.into_iter().take(MOST_TAGS).collect();
        }
        if !metadata.is_empty() {
            theirs.insert("metadata".to_owned(), Value::Object(metadata));
        }
        let employee = Value::from(entry.employee.as_str());
        theirs.retain(|name, value| {
            let is_ours = name == "agent_id" && *value == employee;
            !(value.is_null() || is_ours || ["id", "created_at", self.words].contains(&name.as_str()))
        });
        if !theirs.is_empty() {
            entry.extra.insert(self.name.to_owned(), Value::Object(theirs));
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests;
