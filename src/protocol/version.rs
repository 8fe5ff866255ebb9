//! The revisions of MCP that are spoken here, and what each of them knows.

use std::fmt;

/// A revision of the Model Context Protocol, named by its date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2024-11-05, the first.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, tool annotations, audio, batches.
    V2025_03_26,
    /// 2025-06-18: structured content, titles, resource links; batches are gone.
    V2025_06_18,
    /// 2025-11-25: icons, JSON Schema 2020-12.
    V2025_11_25,
    /// 2026-07-28: no handshake and no session; each request describes itself.
    V2026_07_28,
}

/// The two generations of the protocol, which differ in how a conversation starts and what a result looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// Up to 2025-11-25: `initialize` once, then a session.
    Legacy,
    /// From 2026-07-28: every request carries its version and the capabilities of the client.
    Modern,
}

impl Version {
    /// All revisions, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// What an `initialize` that asks for something unknown is answered with.
    pub const NEWEST_LEGACY: Self = Self::V2025_11_25;

    /// What a peer of the older era speaks when it never said; the specification of Streamable HTTP names this one.
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// The revisions `server/discover` offers and `-32022` lists: those a client may name in `_meta`.
    pub const MODERN: [Self; 1] = [Self::V2026_07_28];

    /// The date, as it is written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of that date, if it is spoken here.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// The generation it belongs to.
    pub const fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Modern,
            _ => Era::Legacy,
        }
    }

    /// The revision that `initialize` settles on when the client asks for `wanted`.
    pub fn negotiate(wanted: &str) -> Self {
        match Self::parse(wanted) {
            Some(version) if version.era() == Era::Legacy => version,
            _ => Self::NEWEST_LEGACY,
        }
    }

    /// Position in [`Version::ALL`]; indexes what is kept once per revision.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// `resultType`, cache hints, the identity of the server in `_meta`; any JSON as structured content.
    pub const fn describes_results(self) -> bool {
        matches!(self.era(), Era::Modern)
    }

    /// Arrays of messages; only one revision has them.
    pub const fn has_batches(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }

    /// Hints about the effects of a tool.
    pub fn has_annotations(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Audio content.
    pub fn has_audio(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// The `completions` capability and the `message` of a progress notification.
    pub fn has_completions(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// `structuredContent` and `outputSchema`.
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// `title` beside `name`.
    pub fn has_titles(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Links to resources as content.
    pub fn has_resource_links(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Questions to the person before the client.
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Such questions as a form or as a web page.
    pub fn has_elicitation_modes(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Streams that begin with an event to resume from, and whose connection the server may drop.
    pub fn has_polling(self) -> bool {
        self == Self::V2025_11_25
    }

    /// `icons`, and `description` and `websiteUrl` of an implementation.
    pub fn has_icons(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether an error without a readable id leaves `id` out; before, JSON-RPC's `null` stands there.
    pub fn omits_unknown_id(self) -> bool {
        self >= Self::V2025_11_25
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_order_and_read_back() {
        for (index, version) in Version::ALL.into_iter().enumerate() {
            assert_eq!(version.index(), index);
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
        assert!(Version::ALL.is_sorted());
    }

    #[test]
    fn initialize_settles_on_a_legacy_revision() {
        fn check(wanted: &str, settled: Version) {
            assert_eq!(Version::negotiate(wanted), settled, "{wanted}");
        }
        check("2024-11-05", Version::V2024_11_05);
        check("2025-03-26", Version::V2025_03_26);
        check("2025-11-25", Version::V2025_11_25);
        check("2026-07-28", Version::V2025_11_25);
        check("1999-01-01", Version::V2025_11_25);
        check("", Version::V2025_11_25);
    }
}
