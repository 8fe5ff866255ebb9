//! The list of tools, and the one place where their types are erased.

use std::{
    fmt,
    future::Future,
    sync::{Arc, LazyLock},
};

use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use tracing::Instrument as _;

use super::{
    Ctx, Error,
    detached::{Begun, Detached, Start},
};
use crate::{
    defs::Scope,
    tasks::{Kind, Task},
};

/// Something a crew can be asked to do.
pub trait Tool: Send + Sync + 'static {
    /// What it takes. The type should refuse unknown fields, so that a misspelt one is noticed.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// What it answers. Must serialize to a JSON object.
    type Output: Serialize + JsonSchema + Send;

    /// `verb_noun`, the name it is called by.
    const NAME: &'static str;
    /// A few words for a person.
    const TITLE: &'static str;
    /// What it does and when to use it, for a model that has to choose.
    const SUMMARY: &'static str;
    /// What calling it may do.
    const ANNOTATIONS: Annotations;
    /// What its caller must be allowed to: to look, if it only looks, else to start work.
    const NEEDS: Scope = if Self::ANNOTATIONS.read_only_hint { Scope::Read } else { Scope::Run };

    /// Does it.
    fn call(&self, ctx: Ctx, args: Self::Args) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// The answer as text for readers of text; `None` means its JSON.
    fn text(_output: &Self::Output) -> Option<String> {
        None
    }
}

/// Hints about the effects of a tool, as MCP names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "these are the four hints of the protocol")]
pub struct Annotations {
    /// It changes nothing.
    pub read_only_hint: bool,
    /// What it changes may be lost for good.
    pub destructive_hint: bool,
    /// Calling it again with the same arguments changes nothing more.
    pub idempotent_hint: bool,
    /// It talks to things outside, such as a model.
    pub open_world_hint: bool,
}

impl Annotations {
    /// Only looks at things here.
    pub const READS: Self =
        Self { read_only_hint: true, destructive_hint: false, idempotent_hint: true, open_world_hint: false };
    /// Starts work that calls models; adds records, destroys nothing.
    pub const WORKS: Self = Self {
        read_only_hint: false,
        destructive_hint: false,
        idempotent_hint: false,
        open_world_hint: true,
    };
}

/// What the surfaces may know of a tool without calling it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// `verb_noun`.
    pub name: &'static str,
    /// A few words for a person.
    pub title: &'static str,
    /// For a model that has to choose.
    pub description: &'static str,
    /// JSON Schema 2020-12 of the arguments, an object.
    pub input_schema: Arc<Value>,
    /// JSON Schema 2020-12 of the answer, an object.
    pub output_schema: Arc<Value>,
    /// What calling it may do.
    pub annotations: Annotations,
}

/// The answer of a tool, its type erased.
#[derive(Debug, Clone)]
pub struct Output {
    /// The answer as JSON, fitting [`Spec::output_schema`].
    pub json: Box<RawValue>,
    /// The same for readers of text.
    pub text: String,
}

type Call = Box<dyn Fn(Ctx, &RawValue) -> BoxFuture<'static, Result<Output, Error>> + Send + Sync>;
type Begin = Box<dyn Fn(Ctx, &RawValue) -> BoxFuture<'static, Result<Begun, Error>> + Send + Sync>;

struct Entry {
    /// Its schemas take longer to make than a server takes to start, and a client that greets does not ask for them.
    spec: LazyLock<Spec>,
    needs: Scope,
    call: Call,
    detached: Option<Work>,
}

/// How the work of a tool goes on without its caller.
struct Work {
    kind: Kind,
    begin: Begin,
    conclude: fn(&Task) -> Result<Output, Error>,
}

/// Every tool of a crew, in a stable order.
#[derive(Default)]
pub struct Registry {
    entries: IndexMap<&'static str, Entry>,
}

impl Registry {
    /// No tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool at the end of the list.
    ///
    /// # Panics
    /// When the name is taken: two tools of one name are a mistake in the program.
    pub fn add<T: Tool>(&mut self, tool: T) {
        self.insert(&Arc::new(tool), None);
    }

    /// Adds a tool whose work may go on in a task.
    ///
    /// # Panics
    /// As [`Registry::add`].
    pub fn add_detached<T: Detached>(&mut self, tool: T) {
        let tool = Arc::new(tool);
        let beginner = Arc::clone(&tool);
        let begin: Begin = Box::new(move |ctx, args| {
            let tool = Arc::clone(&beginner);
            let args = arguments::<T>(args);
            Box::pin(async move {
                match tool.start(ctx, args?).await? {
                    Start::Done(output) => written::<T>(&output).map(Begun::Done),
                    Start::Task(task) => Ok(Begun::Task(task)),
                }
            })
        });
        let conclude = |task: &Task| written::<T>(&T::conclude(task)?);
        self.insert(&tool, Some(Work { kind: T::KIND, begin, conclude }));
    }

    fn insert<T: Tool>(&mut self, tool: &Arc<T>, detached: Option<Work>) {
        let tool = Arc::clone(tool);
        let call: Call = Box::new(move |ctx, args| {
            let tool = Arc::clone(&tool);
            let args = arguments::<T>(args);
            Box::pin(async move { written::<T>(&tool.call(ctx, args?).await?) })
        });
        let before = self
            .entries
            .insert(T::NAME, Entry { spec: LazyLock::new(spec::<T>), needs: T::NEEDS, call, detached });
        assert!(before.is_none(), "two tools are called `{}`", T::NAME);
    }

    /// Keeps only the tools whose names pass.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.entries.retain(|name, _| keep(name));
    }

    /// Whether there is a tool `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// What there is, in a stable order.
    pub fn specs(&self) -> impl ExactSizeIterator<Item = &Spec> {
        self.entries.values().map(|entry| &*entry.spec)
    }

    /// One of them.
    pub fn spec(&self, name: &str) -> Option<&Spec> {
        self.entries.get(name).map(|entry| &*entry.spec)
    }

    /// Calls the tool `name` with `args`, a JSON object.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such tool, [`Error::Denied`] to who may not call it, [`Error::Arguments`] when `args` do not fit it, else what the
    /// tool answers; [`Error::NeedInput`] only for a caller who can be asked.
    pub fn call(&self, name: &str, ctx: Ctx, args: &RawValue) -> BoxFuture<'static, Result<Output, Error>> {
        match self.entries.get(name) {
            Some(entry) => {
                if let Err(denied) = ctx.caller().require(entry.needs) {
                    return Box::pin(std::future::ready(Err(denied)));
                }
                let call = (entry.call)(ctx.clone(), args);
                watched(name, ctx, call)
            }
            None => {
                let error = self.no_tool(name);
                Box::pin(async move { Err(error) })
            }
        }
    }

    /// Calls the tool `name` for a caller that takes a task in place of the answer; see [`Detached`].
    ///
    /// # Errors
    /// As [`Registry::call`]; what goes wrong in the task is told by [`Registry::conclude`].
    pub fn begin(&self, name: &str, ctx: Ctx, args: &RawValue) -> BoxFuture<'static, Result<Begun, Error>> {
        if let Some((needs, work)) =
            self.entries.get(name).and_then(|entry| Some((entry.needs, entry.detached.as_ref()?)))
        {
            if let Err(denied) = ctx.caller().require(needs) {
                return Box::pin(std::future::ready(Err(denied)));
            }
            let begin = (work.begin)(ctx.clone(), args);
            return watched(name, ctx, begin);
        }
        let call = self.call(name, ctx, args);
        Box::pin(async move { call.await.map(Begun::Done) })
    }

    /// What the tool whose work `task` is would have answered, now that the task has ended; `None` when it is the work
    /// of no tool.
    pub fn conclude(&self, task: &Task) -> Option<Result<Output, Error>> {
        let mut works = self.entries.values().filter_map(|entry| entry.detached.as_ref());
        works.find(|work| work.kind == task.kind).map(|work| (work.conclude)(task))
    }

    /// Whether `task` is the work of a tool.
    pub fn knows(&self, task: &Task) -> bool {
        let mut works = self.entries.values().filter_map(|entry| entry.detached.as_ref());
        works.any(|work| work.kind == task.kind)
    }

    fn no_tool(&self, name: &str) -> Error {
        Error::not_found("tool", name, self.entries.keys().copied())
    }
}

/// `call` of the tool `name`, in a span of its own. What failed in it is logged here, whoever called.
fn watched<T: Send + 'static>(
    name: &str,
    ctx: Ctx,
    call: BoxFuture<'static, Result<T, Error>>,
) -> BoxFuture<'static, Result<T, Error>> {
    let span = tracing::info_span!("tool.call", tool = name, caller = ctx.caller().name());
    let call = async move {
        let ended = ctx.settle(call.await);
        if let Err(error @ Error::Failed(_)) = &ended {
            tracing::warn!(%error, "a tool failed");
        }
        ended
    };
    Box::pin(call.instrument(span))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.keys()).finish()
    }
}

fn spec<T: Tool>() -> Spec {
    Spec {
        name: T::NAME,
        title: T::TITLE,
        description: T::SUMMARY,
        input_schema: Arc::new(input_schema::<T::Args>()),
        output_schema: Arc::new(schema::<T::Output>(SchemaSettings::for_serialize)),
        annotations: T::ANNOTATIONS,
    }
}

fn arguments<T: Tool>(args: &RawValue) -> Result<T::Args, Error> {
    serde_json::from_str(args.get())
        .map_err(|error| Error::Arguments(format!("arguments of `{}`: {error}", T::NAME)))
}

fn written<T: Tool>(output: &T::Output) -> Result<Output, Error> {
    let json = serde_json::value::to_raw_value(output)
        .map_err(|error| Error::Failed(format!("answer of `{}`: {error}", T::NAME)))?;
    let text = T::text(output).unwrap_or_else(|| json.get().to_owned());
    Ok(Output { json, text })
}

/// The schema of what a tool takes.
fn input_schema<T: JsonSchema>() -> Value {
    let mut schema = schema::<T>(SchemaSettings::for_deserialize);
    drop_nulls(&mut schema);
    schema
}

/// The schema of `T` with everything inlined, as many clients do not follow `$ref`.
pub(super) fn schema<T: JsonSchema>(contract: fn(SchemaSettings) -> SchemaSettings) -> Value {
    let settings = contract(SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    }));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.remove("description");
    let mut value = Value::from(schema);
    drop_number_formats(&mut value);
    if let Some(object) = value.as_object_mut() {
        object.entry("properties").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    value
}

/// Takes out `"format": "uint64"` and its like: they name Rust's types, JSON Schema does not know them, and some
/// clients warn of each.
fn drop_number_formats(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let numeric = |format: &str| {
                format.starts_with("uint")
                    || format.starts_with("int")
                    || matches!(format, "float" | "double")
            };
            if members.get("format").and_then(Value::as_str).is_some_and(numeric) {
                members.shift_remove("format");
            }
            members.values_mut().for_each(drop_number_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_number_formats),
        _ => {}
    }
}

/// Takes `null` out of what need not be given. To leave it out says the same, and a schema with one type is taken by
/// clients (and the models behind them) that know no other; `null` is still accepted.
fn drop_nulls(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let required = members.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
                let optional =
                    properties.iter_mut().filter(|(name, _)| !required.iter().any(|one| one == *name));
                for property in optional.filter_map(|(_, property)| property.as_object_mut()) {
                    drop_null(property);
                }
            }
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The same of one schema: `["string", "null"]` becomes `"string"`, and a choice between something and `null` that.
fn drop_null(schema: &mut serde_json::Map<String, Value>) {
    let null = Value::from("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| *one != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&null));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.shift_remove("anyOf");
            for (name, value) in only {
                schema.entry(name).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|one| !one.is_null());
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.shift_remove("default");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_need_not_be_given_has_one_type() {
        #[derive(serde::Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        enum Kind {
            Small,
            Large,
        }
        #[derive(serde::Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        struct Args {
            name: Option<String>,
            #[serde(default)]
            kind: Option<Kind>,
            /// Each may be unknown.
            parts: Vec<Option<u8>>,
        }
        let schema = input_schema::<Args>();
        let expected = serde_json::json!({
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "kind": {"type": "string", "enum": ["small", "large"]},
                "parts": {
                    "description": "Each may be unknown.",
                    "type": "array",
                    "items": {"type": ["integer", "null"], "minimum": 0, "maximum": 255},
                },
            },
            "required": ["parts"],
        });
        assert_eq!(schema, expected);
    }

    #[test]
    fn schemas_speak_json_schema_only() {
        #[derive(serde::Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        struct Args {
            /// How many.
            limit: usize,
            /// In what.
            format: Option<String>,
        }
        let schema = schema::<Args>(SchemaSettings::for_deserialize);
        let expected = serde_json::json!({
            "type": "object",
            "properties": {
                "limit": {"description": "How many.", "type": "integer", "minimum": 0},
                "format": {"description": "In what.", "type": ["string", "null"]},
            },
            "required": ["limit"],
        });
        assert_eq!(schema, expected);
    }
}
