//! Calls of tools: asked for, read from answers in every dialect, and told back with their results.

use std::sync::Arc;

use serde_json::{Value, json, value::to_raw_value};

use super::streams::read;
use crate::llm::{
    Cause, Choice, Finish, Message, Reply, Request, Said, Thoughts, ToolResult, ToolSpec, Wire, wire::*,
};

const WIRES: [Wire; 4] = [Wire::Anthropic, Wire::OpenAi, Wire::OpenAiResponses, Wire::Gemini];

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/llm/", $name)).as_slice()
    };
}

fn whole(wire: Wire, body: &[u8]) -> Result<Reply, Error> {
    let provider = Arc::from("p");
    let headers = HeaderMap::new();
    decode(
        wire,
        &Answer {
            provider: &provider,
            status: 200,
            headers: &headers,
            body,
            received: Timestamp::UNIX_EPOCH,
        },
    )
}

fn streamed(wire: Wire, bytes: &[u8]) -> Reply {
    read(wire, [bytes]).1.unwrap()
}

/// The calls of a reply, as id, tool and arguments.
fn calls(reply: &Reply) -> Vec<(String, String, Value)> {
    let call = |call: &crate::llm::ToolCall| {
        (call.id.clone(), call.name.clone(), serde_json::from_str(&call.arguments).unwrap())
    };
    reply.said.calls.iter().map(call).collect()
}

#[test]
fn calls_are_read_whole_and_in_pieces() {
    let check = |wire, reply: Reply, ids: [&str; 2], text: &str, thoughts: Option<Value>| {
        assert_eq!(reply.finish, Finish::ToolCalls, "{wire:?}");
        assert_eq!(reply.said.text, text, "{wire:?}");
        let expected = [("get_weather", json!({"city": "北京"})), ("get_time", json!({}))];
        let expected = ids.into_iter().zip(expected);
        let expected: Vec<_> =
            expected.map(|(id, (name, arguments))| (id.to_owned(), name.to_owned(), arguments)).collect();
        assert_eq!(calls(&reply), expected, "{wire:?}");
        assert_eq!(reply.said.thoughts, thoughts.map(|parts| Thoughts { wire, parts }), "{wire:?}");
    };
    let wire = Wire::Anthropic;
    let ids = ["toolu_01A", "toolu_01B"];
    let thought = json!([{"type": "thinking", "thinking": "两个城市都要查。", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA"}]);
    let reply = whole(wire, fixture!("anthropic-tools.json")).unwrap();
    check(wire, reply, ids, "I'll look at both.", Some(thought.clone()));
    check(wire, streamed(wire, fixture!("anthropic-tools.sse")), ids, "I'll look at both.", Some(thought));

    let wire = Wire::OpenAi;
    let ids = ["call_a", "call_b"];
    check(wire, whole(wire, fixture!("openai-tools.json")).unwrap(), ids, "", None);
    let reply = streamed(wire, fixture!("deepseek-tools.sse"));
    check(wire, reply, ids, "Looking.", Some(json!("先查天气。")));

    let reply = streamed(wire, fixture!("zhipu-tools.sse"));
    check(wire, reply, ids, "Looking.", Some(json!("先查天气。")));
    check(wire, streamed(wire, fixture!("qwen-tools.sse")), ids, "Looking.", None);
    check(wire, streamed(wire, fixture!("ollama-tools.sse")), ids, "Looking.", None);

    let wire = Wire::OpenAiResponses;
    let whole_answer: Value = serde_json::from_slice(fixture!("responses-tools.json")).unwrap();
    let items = &whole_answer["output"];
    let reply = whole(wire, fixture!("responses-tools.json")).unwrap();
    check(wire, reply, ids, "Looking.", Some(items.clone()));
    check(wire, streamed(wire, fixture!("responses-tools.sse")), ids, "Looking.", Some(items.clone()));

    let wire = Wire::Gemini;
    let ids = ["call-0", "call-1"];
    let thought = json!(["CuIBAdHtim8=", null]);
    check(wire, whole(wire, fixture!("gemini-tools.json")).unwrap(), ids, "Looking.", Some(thought.clone()));
    check(wire, streamed(wire, fixture!("gemini-tools.sse")), ids, "Looking.", Some(thought));
}

fn request(messages: Vec<Message>) -> Request {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    Request {
        model: Choice::of("m"),
        system: String::new(),
        messages,
        tools: vec![ToolSpec {
            name: "get_weather".to_owned(),
            description: "The weather in a city.".to_owned(),
            schema: to_raw_value(&schema).unwrap().into(),
        }],
        max_tokens: Some(10),
        temperature: None,
        thinking: None,
        fallback: None,
        account: "a".to_owned(),
    }
}

fn body(wire: Wire, messages: Vec<Message>) -> Value {
    serde_json::from_slice(&encode(wire, None, &request(messages), Form::Whole).unwrap().body).unwrap()
}

#[test]
fn tools_are_offered_as_each_dialect_wants_them() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let (name, description) = ("get_weather", "The weather in a city.");
    let check = |wire, expected: Value| {
        assert_eq!(body(wire, vec![Message::user("go")])["tools"], expected, "{wire:?}");
    };
    check(Wire::Anthropic, json!([{"name": name, "description": description, "input_schema": schema}]));
    let function = json!({"name": name, "description": description, "parameters": schema});
    check(Wire::OpenAi, json!([{"type": "function", "function": function}]));
    check(
        Wire::OpenAiResponses,
        json!([{"type": "function", "name": name, "description": description, "parameters": schema, "strict": false}]),
    );
    let declared = json!([{"name": name, "description": description, "parametersJsonSchema": schema}]);
    check(Wire::Gemini, json!([{"functionDeclarations": declared}]));
}

/// A conversation in which the model called two tools and was told what they gave.
fn conversation(said: Said) -> Vec<Message> {
    let results = said.calls.iter().enumerate().map(|(number, call)| ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        text: if number == 0 { "晴" } else { "no clock" }.to_owned(),
        is_error: number == 1,
    });
    let results = results.collect();
    vec![Message::user("go"), Message::Assistant(said), Message::Tools(results)]
}

#[test]
fn results_go_back_with_what_asked_for_them() {
    let said = whole(Wire::Anthropic, fixture!("anthropic-tools.json")).unwrap().said;
    assert_eq!(
        body(Wire::Anthropic, conversation(said))["messages"],
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "两个城市都要查。", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA"},
                {"type": "text", "text": "I'll look at both."},
                {"type": "tool_use", "id": "toolu_01A", "name": "get_weather", "input": {"city": "北京"}},
                {"type": "tool_use", "id": "toolu_01B", "name": "get_time", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01A", "content": "晴", "is_error": false},
                {"type": "tool_result", "tool_use_id": "toolu_01B", "content": "no clock", "is_error": true},
            ]},
        ])
    );
    let said = streamed(Wire::OpenAi, fixture!("deepseek-tools.sse")).said;
    assert_eq!(
        body(Wire::OpenAi, conversation(said))["messages"],
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "Looking.", "reasoning_content": "先查天气。", "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"北京\"}"}},
                {"id": "call_b", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
            ]},
            {"role": "tool", "content": "晴", "tool_call_id": "call_a"},
            {"role": "tool", "content": "no clock", "tool_call_id": "call_b"},
        ])
    );
    let said = whole(Wire::OpenAiResponses, fixture!("responses-tools.json")).unwrap().said;
    let input = body(Wire::OpenAiResponses, conversation(said))["input"].take();
    let answered: Value = serde_json::from_slice(fixture!("responses-tools.json")).unwrap();
    let input = input.as_array().unwrap();
    assert_eq!(input[0], json!({"role": "user", "content": "go"}));
    assert_eq!(
        input[1..5],
        *answered["output"].as_array().unwrap(),
        "as it came, each thought before what it led to"
    );
    assert_eq!(
        input[5..],
        [
            json!({"type": "function_call_output", "call_id": "call_a", "output": "晴"}),
            json!({"type": "function_call_output", "call_id": "call_b", "output": "no clock"}),
        ]
    );
    let said = whole(Wire::Gemini, fixture!("gemini-tools.json")).unwrap().said;
    assert_eq!(
        body(Wire::Gemini, conversation(said))["contents"],
        json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [
                {"text": "Looking."},
                {"functionCall": {"name": "get_weather", "args": {"city": "北京"}}, "thoughtSignature": "CuIBAdHtim8="},
                {"functionCall": {"name": "get_time", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "get_weather", "response": {"result": "晴"}}},
                {"functionResponse": {"name": "get_time", "response": {"error": "no clock"}}},
            ]},
        ])
    );
}

#[test]
fn thoughts_stay_with_the_dialect_they_were_thought_in() {
    let said = whole(Wire::Anthropic, fixture!("anthropic-tools.json")).unwrap().said;
    for wire in WIRES {
        let body = body(wire, conversation(said.clone())).to_string();
        assert_eq!(body.contains("两个城市都要查"), wire == Wire::Anthropic, "{wire:?}: {body}");
    }
}

#[test]
fn arguments_that_are_no_object_are_told_back_as_they_were() {
    let mut said = whole(Wire::OpenAi, fixture!("openai-tools.json")).unwrap().said;
    said.calls[0].arguments = "{\"city\":".to_owned();
    let unreadable = json!({"unreadable": "{\"city\":"});
    let messages = body(Wire::Anthropic, conversation(said.clone()));
    assert_eq!(messages.pointer("/messages/1/content/0/input"), Some(&unreadable));
    let messages = body(Wire::Gemini, conversation(said));
    assert_eq!(messages.pointer("/contents/1/parts/0/functionCall/args"), Some(&unreadable));
}

#[test]
fn servers_that_do_not_count_their_calls_are_understood() {
    let chunk =
        |call: Value| format!("data: {}\n\n", json!({"choices": [{"delta": {"tool_calls": [call]}}]}));
    let mut stream =
        chunk(json!({"id": "a", "function": {"name": "get_weather", "arguments": "{\"city\":"}}));
    stream += &chunk(json!({"function": {"arguments": "\"北京\"}"}}));
    stream += &chunk(json!({"id": "b", "function": {"name": "get_time", "arguments": {}}}));
    stream += "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let reply = streamed(Wire::OpenAi, stream.as_bytes());
    assert_eq!(reply.finish, Finish::ToolCalls);
    assert_eq!(calls(&reply)[0], ("a".to_owned(), "get_weather".to_owned(), json!({"city": "北京"})));
    assert_eq!(calls(&reply)[1], ("b".to_owned(), "get_time".to_owned(), json!({})));
}

#[test]
fn calls_without_a_number_or_with_the_same_are_kept_apart() {
    let call = |id: &str, arguments: &str| json!({"id": id, "index": 0, "function": {"name": "f", "arguments": arguments}});
    let all = json!([call("a", "{}"), call("b", "{\"n\":1}")]);
    let body = json!({"choices": [{"message": {"tool_calls": all}, "finish_reason": "tool_calls"}]});
    let reply = whole(Wire::OpenAi, body.to_string().as_bytes()).unwrap();
    let expected = [("a", json!({})), ("b", json!({"n": 1}))];
    let expected = expected.map(|(id, arguments)| (id.to_owned(), "f".to_owned(), arguments));
    assert_eq!(calls(&reply), expected);
    let chunk =
        |call: &Value| format!("data: {}\n\n", json!({"choices": [{"delta": {"tool_calls": [call]}}]}));
    let stream: String = all.as_array().unwrap().iter().map(chunk).collect();
    let stream =
        stream + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    assert_eq!(calls(&streamed(Wire::OpenAi, stream.as_bytes())), expected);
}

#[test]
fn a_flood_of_calls_is_no_answer() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let message =
        json!({"choices": [{"message": {"tool_calls": vec![call; 129]}, "finish_reason": "tool_calls"}]});
    let error = whole(Wire::OpenAi, message.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("more than 128 tools"), "{error}");
}

#[test]
fn responses_that_hold_no_answer_say_why() {
    let wire = Wire::OpenAiResponses;
    let reply = whole(wire, fixture!("responses-message.json")).unwrap();
    assert_eq!((reply.said.text.as_str(), reply.finish), ("Hello，世界 🦀!", Finish::Stop));
    assert_eq!(reply.said.thoughts, None, "no result of a tool follows");
    let message = |text: &str| json!({"type": "message", "content": [{"type": "output_text", "text": text}]});
    let cut = json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [message("x")]});
    assert_eq!(whole(wire, cut.to_string().as_bytes()).unwrap().finish, Finish::Length);
    let refusal = json!({"type": "message", "content": [{"type": "refusal", "refusal": "No."}]});
    let refused = json!({"status": "completed", "output": [refusal]});
    let reply = whole(wire, refused.to_string().as_bytes()).unwrap();
    assert_eq!((reply.said.text.as_str(), reply.finish), ("No.", Finish::Refused));
    let failed = json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}, "output": []});
    assert!(matches!(whole(wire, failed.to_string().as_bytes()), Err(Error::Status { status: 429, .. })));
    for body in ["", "[]", "null", "{}", r#"{"output":"text"}"#, r#"{"status":"completed","output":[]}"#] {
        assert!(whole(wire, body.as_bytes()).is_err(), "{body}");
    }
    for told in [
        r#"{"type":"error","code":"server_error","message":"gone","param":null}"#,
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"gone"}}}"#,
    ] {
        let outcome = read(wire, [format!("data: {told}\n\n").as_bytes()]).1;
        assert_eq!(
            outcome,
            Err(Fault::Told { status: 500, cause: Cause::Other, message: "gone".to_owned() }),
            "{told}"
        );
    }
}

#[test]
fn a_wish_to_think_is_told_in_the_words_of_each_dialect() {
    let body = |wire, model: &str, thinking| -> Value {
        let mut request = request(vec![Message::user("go")]);
        request.model = Choice::of(model);
        (request.thinking, request.temperature, request.max_tokens) = (thinking, Some(0.5), Some(8000));
        serde_json::from_slice(&encode(wire, None, &request, Form::Whole).unwrap().body).unwrap()
    };
    let claude = body(Wire::Anthropic, "claude-sonnet-4-5", Some(true));
    assert_eq!(claude["thinking"], json!({"type": "enabled", "budget_tokens": 4000}));
    assert!(claude.get("temperature").is_none(), "it is refused beside thinking");
    assert_eq!(body(Wire::Anthropic, "claude-sonnet-4-5", None)["temperature"], 0.5);
    assert!(body(Wire::Anthropic, "claude-opus-4-7", None).get("temperature").is_none());
    assert_eq!(body(Wire::OpenAi, "glm-4.6", Some(false))["thinking"], json!({"type": "disabled"}));
    let qwen = body(Wire::OpenAi, "qwen3-8b", None);
    assert_eq!((&qwen["enable_thinking"], &qwen["temperature"]), (&json!(false), &json!(0.5)));
    assert_eq!(body(Wire::OpenAiResponses, "o3-pro", Some(true))["reasoning"], json!({"effort": "medium"}));
    let gemini = body(Wire::Gemini, "gemini-2.5-flash", Some(false));
    assert_eq!(gemini.pointer("/generationConfig/thinkingConfig/thinkingBudget"), Some(&json!(0)));
}

#[test]
fn reasoning_models_hand_out_their_thoughts_encrypted() {
    let mut request = request(vec![Message::user("go")]);
    let body = |request: &Request| -> Value {
        let parts = encode(Wire::OpenAiResponses, None, request, Form::Whole).unwrap();
        assert_eq!(parts.path, "/responses");
        serde_json::from_slice(&parts.body).unwrap()
    };
    request.temperature = Some(0.5);
    let plain = body(&request);
    assert_eq!((&plain["store"], &plain["temperature"]), (&json!(false), &json!(0.5)));
    assert!(plain.get("include").is_none());
    request.model = Choice::of("o3-pro");
    let reasoning = body(&request);
    assert_eq!(reasoning["include"], json!(["reasoning.encrypted_content"]));
    assert!(reasoning.get("temperature").is_none());
    assert_eq!(reasoning["max_output_tokens"], 10);
}
