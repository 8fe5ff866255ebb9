//! Who holds a token.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use constant_time_eq::constant_time_eq_32;
use sha2::{Digest as _, Sha256};

use crate::{base::Secret, defs::Scope, tools::Caller};

/// Tokens and those who hold them. Only the SHA-256 of a token is kept.
#[derive(Default)]
pub struct Tokens(Vec<([u8; 32], Caller)>);

impl Tokens {
    /// Adds a token by its SHA-256.
    pub fn add_sha256(&mut self, hash: [u8; 32], name: &str, scope: Scope) {
        self.0.push((hash, Caller::new(name).with_scope(scope)));
    }

    /// Adds a token.
    pub fn add(&mut self, token: &Secret, name: &str, scope: Scope) {
        self.add_sha256(hash(token.expose().as_bytes()), name, scope);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody holds any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who holds the token `offered`, which may be any bytes. Takes the same time whoever it is, if anybody.
    fn holder(&self, offered: &[u8]) -> Option<&Caller> {
        let offered = hash(offered);
        let mut found = None;
        for (known, caller) in &self.0 {
            if constant_time_eq_32(known, &offered) {
                found = Some(caller);
            }
        }
        found
    }
}

fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, caller)| caller)).finish()
    }
}

/// Who may call: everybody, or those who hold a token. Clones are the same; tokens can be exchanged while it is in use.
#[derive(Debug, Clone)]
pub struct Access(Option<Arc<ArcSwap<Tokens>>>);

impl Access {
    /// Everybody may call.
    pub fn open() -> Self {
        Self(None)
    }

    /// Whoever holds one of `tokens` may.
    pub fn guarded(tokens: Tokens) -> Self {
        Self(Some(Arc::new(ArcSwap::from_pointee(tokens))))
    }

    /// Whether callers need a token.
    pub fn is_guarded(&self) -> bool {
        self.0.is_some()
    }

    /// From now on `tokens` count, and no others. What everybody may do stays so.
    pub fn exchange(&self, tokens: Tokens) {
        if let Some(kept) = &self.0 {
            kept.store(Arc::new(tokens));
        }
    }

    /// Who holds the token `offered`.
    pub(super) fn holder(&self, offered: &[u8]) -> Option<Caller> {
        self.0.as_ref()?.load().holder(offered).cloned()
    }

    /// What the caller known by `name` may do: everything where no token is needed, and nothing but look who holds none
    /// (any more).
    pub fn scope_of(&self, name: &str) -> Scope {
        let Some(kept) = &self.0 else { return Scope::Admin };
        let tokens = kept.load();
        let held = tokens.0.iter().filter(|(_, caller)| caller.name() == name);
        held.map(|(_, caller)| caller.scope()).max().unwrap_or(Scope::Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_holder_until_it_is_exchanged() {
        let secret = |text| Secret::new(text).unwrap();
        let mut tokens = Tokens::default();
        tokens.add(&secret("tök"), "ann", Scope::Admin);
        tokens.add_sha256(hash(b"other"), "ci", Scope::Run);
        let access = Access::guarded(tokens);
        let holder =
            |offered: &[u8]| access.holder(offered).map(|caller| (caller.name().to_owned(), caller.scope()));
        assert_eq!(holder("tök".as_bytes()), Some(("ann".to_owned(), Scope::Admin)));
        assert_eq!(holder(b"other"), Some(("ci".to_owned(), Scope::Run)));
        for wrong in [b"".as_slice(), b"t\xc3", b"\xff\xfe", b"othe", b"other ", &[b'a'; 10_000]] {
            assert_eq!(holder(wrong), None);
        }
        assert_eq!((access.scope_of("ci"), access.scope_of("bob")), (Scope::Run, Scope::Read));
        let mut tokens = Tokens::default();
        tokens.add(&secret("new"), "ci", Scope::Read);
        access.exchange(tokens);
        assert_eq!(holder(b"other"), None);
        assert_eq!(holder(b"new"), Some(("ci".to_owned(), Scope::Read)));
        assert_eq!(access.scope_of("ci"), Scope::Read);
        assert!(!format!("{access:?}").contains("new"));
    }

    #[test]
    fn where_no_token_is_needed_everybody_may_do_everything() {
        let open = Access::open();
        open.exchange(Tokens::default());
        assert!(!open.is_guarded());
        assert_eq!(open.scope_of("anonymous"), Scope::Admin);
    }
}
