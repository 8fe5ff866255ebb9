//! The rounds of one request: it is run, asks, is run again with the answers, until it has a result.

use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{Answers, Inquiry, Question, bridge, question::required, seal::Subject};
use crate::protocol::{
    Context, Error, Server,
    shape::{Payload, ResultType},
};

/// Most rounds of questions to a client of the older era; a handler that still asks then would never end.
const ROUNDS: u32 = 8;

/// A request that may ask.
#[derive(Debug, Clone, Copy)]
pub(in crate::protocol) struct Request<'a> {
    pub(in crate::protocol) method: &'static str,
    /// What it is about: the name of a tool or a prompt, the URI of a resource.
    pub(in crate::protocol) target: &'a str,
    pub(in crate::protocol) arguments: Option<&'a RawValue>,
    /// What stands under `inputResponses`.
    pub(in crate::protocol) responses: Option<&'a RawValue>,
    /// What stands under `requestState`.
    pub(in crate::protocol) state: Option<&'a RawValue>,
}

/// The rounds of one request.
pub(in crate::protocol) struct Rounds<'a> {
    server: &'a Server,
    request: Request<'a>,
    context: Context,
    asked: u32,
    /// Why the client of the older era did not answer: it is not asked again.
    silence: Option<&'static str>,
}

impl<'a> Rounds<'a> {
    /// Begins, or goes on where the client left off.
    ///
    /// # Errors
    /// `-32602` for answers that are none, and for a state that was not sealed here for this request.
    pub(in crate::protocol) fn begin(
        server: &'a Server,
        request: Request<'a>,
        context: &Context,
    ) -> Result<Self, Error> {
        let mut rounds = Self { server, request, context: context.clone(), asked: 0, silence: None };
        let resumed = request.responses.is_some() || request.state.is_some();
        if resumed && context.version().describes_results() {
            let answers = rounds.resume()?;
            rounds.context = context.with_answers(answers);
        }
        Ok(rounds)
    }

    /// What the handler is to be run with.
    pub(in crate::protocol) fn context(&self) -> &Context {
        &self.context
    }

    /// Asks what the handler wants to know. With `None` it is to be run again; else this is the answer to the request,
    /// which the client will send again.
    ///
    /// # Errors
    /// `-32021` when the client can be asked none of it, `-32603` when asking leads nowhere.
    pub(in crate::protocol) async fn ask(&mut self, inquiry: Inquiry) -> Result<Option<Payload>, Error> {
        let Inquiry { questions, state } = inquiry;
        let version = self.context.version();
        if questions.is_empty() && state.is_none() {
            tracing::error!(method = self.request.method, "an inquiry asks nothing");
            return Err(Error::internal("the request needs something, but does not say what"));
        }
        let lacking = required(questions.iter().map(|(_, question)| question));
        let had_some = !questions.is_empty();
        let capabilities = self.context.capabilities();
        let open: Vec<(String, Question)> = questions
            .into_iter()
            .filter(|(_, question)| question.is_open_to(&capabilities, version))
            .collect();
        if had_some && open.is_empty() {
            return Err(Error::missing_capability(&lacking));
        }
        let known = Answers { replies: self.context.answers().replies.clone(), state };
        let Some(session) = self.context.session() else { return self.hand_over(open, known).map(Some) };
        if self.asked == ROUNDS {
            tracing::error!(method = self.request.method, "a handler asks without end");
            return Err(Error::internal("the request asked too often"));
        }
        if let Some(why) = self.silence {
            return Err(Error::internal(why));
        }
        let (replies, silence) = bridge::ask(&self.context, session, open).await?;
        self.silence = silence;
        let mut answers = known;
        answers.replies.extend(replies);
        self.asked += 1;
        self.context = self.context.with_answers(answers);
        Ok(None)
    }

    /// Hands the questions over to the client, together with all that was learnt.
    fn hand_over(&self, questions: Vec<(String, Question)>, known: Answers) -> Result<Payload, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct InputRequired {
            #[serde(skip_serializing_if = "Map::is_empty")]
            input_requests: Map<String, Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            request_state: Option<String>,
        }
        let version = self.context.version();
        let request_state = if known.is_empty() && known.state.is_none() {
            None
        } else {
            let arguments = self.arguments()?;
            Some(self.server.seal.close(&self.subject(&arguments), known)?)
        };
        let input_requests = questions
            .into_iter()
            .map(|(key, asked)| (key, json!({ "method": asked.method(), "params": asked.params(version) })))
            .collect();
        self.server.finish_as(
            ResultType::InputRequired,
            &InputRequired { input_requests, request_state },
            version,
        )
    }

    /// What the client brings along: what it was told to carry, and its new answers.
    fn resume(&self) -> Result<Answers, Error> {
        let mut answers = match self.request.state {
            None => Answers::default(),
            Some(state) => {
                let token: String = serde_json::from_str(state.get())
                    .map_err(|_| Error::invalid_params("`requestState` must be a string"))?;
                let arguments = self.arguments()?;
                self.server.seal.open(&self.subject(&arguments), &token)?
            }
        };
        if let Some(responses) = self.request.responses {
            answers.replies.extend(Answers::parse(responses)?.replies);
        }
        Ok(answers)
    }

    fn subject<'s>(&'s self, arguments: &'s Value) -> Subject<'s> {
        let Request { method, target, .. } = self.request;
        Subject { caller: self.context.caller(), method, target, arguments }
    }

    fn arguments(&self) -> Result<Value, Error> {
        let arguments = self.request.arguments.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()));
        arguments.map_err(|error| Error::invalid_params(format!("`arguments`: {error}")))
    }
}
