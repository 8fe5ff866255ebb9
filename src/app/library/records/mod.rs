//! What the crew has written down: memories and meetings, as they were kept by earlier versions too.

pub(super) mod memory;

use std::path::Path;

use crate::{
    catalog::Identity,
    engine::records::{
        Folder,
        meeting::{self, Record},
    },
    protocol::resource::Resource,
};

/// Where they are kept, from the root of the project.
pub(in crate::app) const FOLDERS: [&str; 2] = [memory::FOLDER, meeting::FOLDER];

/// Most memories that are listed.
const MEMORIES: usize = 200;
/// Most meetings that are listed, the newest.
const MEETINGS: usize = 50;

/// What there is, without the texts; the same as long as no file has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::app) struct Records {
    /// The memories, by the names they are kept under, with what their files look like.
    pub(super) memories: Vec<(String, Identity)>,
    /// The meetings, the newest first, with what the files of their texts look like; only those listed have one.
    pub(super) meetings: Vec<(Record, Option<Identity>)>,
    index: Option<Identity>,
}

impl Records {
    /// Looks at the files of the project at `root`; the list of meetings is read only when it is not that of `before`.
    /// Waits for the disk.
    pub(super) fn look(root: &Path, before: &Self) -> Self {
        let mut records = Self::default();
        if let Some(folder) = Folder::open(root, memory::FOLDER) {
            let identity = |stem: &String| folder.identity(&format!("{stem}{}", memory::ENDING));
            let stems = folder.stems(memory::ENDING).into_iter();
            records.memories = stems.map(|stem| (stem.clone(), identity(&stem))).collect();
        }
        if let Some(folder) = Folder::open(root, meeting::FOLDER) {
            let index = Some(folder.identity(meeting::INDEX));
            let known = if index == before.index {
                before.meetings.iter().map(|(record, _)| record.clone()).collect()
            } else {
                let read = meeting::Index::read(&folder);
                if read.broken > 0 {
                    tracing::warn!(lines = read.broken, "lines of the list of meetings are no records");
                }
                read.records
            };
            let identity =
                |record: &Record| folder.identity(&format!("{}{}", record.meeting_id, meeting::ENDING));
            let meetings = known.into_iter().enumerate();
            records.meetings = meetings
                .map(|(place, record)| ((place < MEETINGS).then(|| identity(&record)), record))
                .map(|(identity, record)| (record, identity))
                .collect();
            records.index = index;
        }
        records
    }

    /// What is listed; `uri` makes an address of a prefix and a name.
    pub(super) fn resources(&self, uri: impl Fn(&str, &str) -> String) -> Vec<Resource> {
        let memories = self.memories.iter().take(MEMORIES).map(|(name, _)| Resource {
            uri: uri(super::MEMORY, name),
            name: name.clone(),
            description: Some(format!("What `{name}` remembers")),
            mime_type: Some("application/json".to_owned()),
            ..Resource::default()
        });
        let meetings = self.meetings.iter().take(MEETINGS).map(|(record, _)| Resource {
            uri: uri(super::MEETING, &record.meeting_id),
            name: record.meeting_id.clone(),
            title: Some(record.name.clone()).filter(|name| !name.is_empty()),
            description: Some(record.topic.clone()).filter(|topic| !topic.is_empty()),
            mime_type: Some("application/json".to_owned()),
            ..Resource::default()
        });
        memories.chain(meetings).collect()
    }
}
