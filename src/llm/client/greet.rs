//! Asks a provider whether it is there and takes the key, without asking a model.

use std::{sync::Arc, time::Duration};

use super::{Client, Target};
use crate::llm::{Choice, Error, Tape, provider::Wire, wire};

/// How a provider takes it to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeted {
    /// It answered with this status, and does not mind the key.
    Answered(u16),
    /// It answered with this status, which says that it does not take the key.
    KeyRefused(u16),
    /// The program itself serves the model.
    Offline,
}

impl Client {
    /// Asks the provider of `choice` for its list of models, once, within `time`. Nothing is counted.
    ///
    /// # Errors
    /// When it could not be asked, or nobody answers. Where a run is played from a recording, nothing leaves the machine:
    /// [`Error::Unrecorded`].
    pub async fn greet(&self, choice: &Choice, time: Duration) -> Result<Greeted, Error> {
        if self.tape().is_some_and(Tape::plays) {
            return Err(Error::Unrecorded { who: "greeting".to_owned() });
        }
        let provider = self.0.settings.providers.chosen(choice)?;
        let Some(target) = Target::of(&provider, &choice.model)? else { return Ok(Greeted::Offline) };
        let place = &target.place;
        let parts = wire::greeting(target.wire, place.key.as_ref()).ok_or_else(|| place.invalid_key())?;
        let asked = tokio::time::timeout(time, self.0.transport.greet(place, &parts)).await;
        let status =
            asked.map_err(|_| Error::Timeout { provider: Arc::clone(&place.provider), after: time })??;
        Ok(match (status, target.wire) {
            // Google's answer to a key that is none is that the request is not valid, and there is nothing else in it.
            (401, _) | (400, Wire::Gemini) => Greeted::KeyRefused(status),
            _ => Greeted::Answered(status),
        })
    }
}
