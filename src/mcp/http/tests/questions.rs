use super::*;

/// Parameters of a call of `tool` by a client that can be asked everything.
fn call(tool: &str) -> Value {
    let capabilities = json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}});
    json!({"name": tool, "_meta": {"io.modelcontextprotocol/clientCapabilities": capabilities}})
}

/// The same, sent again with answers.
fn again(params: &Value, asked: &Value, responses: Value) -> Value {
    let mut params = params.clone();
    params["requestState"] = asked["requestState"].clone();
    params["inputResponses"] = responses;
    params
}

fn named(name: &str) -> Value {
    json!({"name": {"action": "accept", "content": {"name": name}}})
}

#[tokio::test]
async fn a_modern_client_is_asked_by_the_result() {
    let client = Client::new();
    for (method, target) in [("tools/call", "ask"), ("prompts/get", "ask"), ("resources/read", "test://ask")]
    {
        let mut params = call(target);
        if method == "resources/read" {
            params["uri"] = target.into();
            params.as_object_mut().unwrap().remove("name");
        }
        let asked = client.modern(method, params.clone()).await.json().await["result"].take();
        assert_eq!(asked["resultType"], "input_required");
        assert_eq!(asked["ttlMs"], Value::Null);
        assert!(asked["_meta"]["io.modelcontextprotocol/serverInfo"].is_object());
        let question = &asked["inputRequests"]["name"];
        assert_eq!(question["method"], "elicitation/create");
        assert_eq!(question["params"]["mode"], "form");

        let mut responses = named("Ann");
        responses["other"] = json!({"whatever": 1});
        let answer = client.modern(method, again(&params, &asked, responses)).await.json().await;
        assert!(answer["result"].to_string().contains("Hello, Ann!"), "{answer}");
        // Without its answer the question is asked again.
        let missing = again(&params, &asked, json!({"other": {}}));
        let asked = client.modern(method, missing).await.json().await["result"].take();
        assert_eq!(asked["resultType"], "input_required");
    }
}

#[tokio::test]
async fn answers_add_up_over_rounds() {
    let client = Client::new();
    let params = call("interview");
    let asked = client.modern("tools/call", params.clone()).await.json().await["result"].take();
    assert_eq!(asked.get("requestState"), None, "there is nothing to carry yet");
    let methods: Vec<_> =
        asked["inputRequests"].as_object().unwrap().values().map(|one| &one["method"]).collect();
    assert_eq!(methods, ["sampling/createMessage", "roots/list"]);

    let mut second = params.clone();
    let model = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}});
    second["inputResponses"] = json!({"capital": model, "roots": {"roots": [{"uri": "file:///a"}]}});
    let asked = client.modern("tools/call", second).await.json().await["result"].take();
    assert_eq!(asked["inputRequests"]["page"]["params"]["url"], "https://pay.example");
    let third = again(&params, &asked, json!({"page": {"action": "accept"}}));
    let answer = client.modern("tools/call", third).await.json().await;
    assert_eq!(answer["result"]["content"][0]["text"], "Paris 1 true");
}

#[tokio::test]
async fn only_what_the_client_declared_is_asked() {
    let client = Client::new();
    let mut params = call("ask");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"sampling": {}});
    let error = client.modern("tools/call", params.clone()).await.fails(400, -32021).await;
    assert_eq!(error["error"]["data"], json!({"requiredCapabilities": {"elicitation": {"form": {}}}}));
    params["name"] = "interview".into();
    let asked = client.modern("tools/call", params).await.json().await["result"].take();
    let keys: Vec<_> = asked["inputRequests"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["capital"]);
}

#[tokio::test]
async fn what_a_client_brings_along_is_checked() {
    let client = Client::new();
    let params = call("ask");
    let asked = client.modern("tools/call", params.clone()).await.json().await["result"].take();
    let good = again(&params, &asked, named("Ann"));
    let check = async |member: &str, value: Value| {
        let mut bad = good.clone();
        bad[member] = value;
        let error = client.modern("tools/call", bad).await.fails(400, -32602).await;
        error["error"]["message"].as_str().unwrap().to_owned()
    };
    for responses in [json!(null), json!(7), json!([]), json!({"name": null}), json!({"name": 7})] {
        check("inputResponses", responses).await;
    }
    let token = asked["requestState"].as_str().unwrap();
    let text = check("requestState", format!("{token}-TAMPERED").into()).await;
    assert_eq!(check("arguments", json!({"a": 1})).await, text);
    assert_eq!(check("name", "interview".into()).await, text);
    check("requestState", json!(7)).await;
    check("requestState", json!(null)).await;

    let body = testing::modern("1", "tools/call", &good);
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "ask")];
    let other = client.send("POST", &headers, Some("bob"), body.into()).await;
    assert_eq!(other.fails(400, -32602).await["error"]["message"], text);
}

/// A client of the older era that answers what it is asked while its call is open.
async fn converse(client: &Client, version: &str, tool: &str, answer: impl Fn(&Value) -> Value) -> Value {
    let capabilities = json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}});
    let session = client.open_with(version, capabilities).await;
    let reply = client.legacy(&session, "tools/call", json!({"name": tool})).await;
    let mut events = reply.body.into_data_stream();
    let mut text = String::new();
    loop {
        let chunk = events.next().await.expect("the answer is still to come").unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = text.find("\n\n") {
            let event = text.drain(..end + 2).collect::<String>();
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: {")) else { continue };
            let message: Value = serde_json::from_str(&format!("{{{data}")).unwrap();
            if message["method"].is_null() {
                return message;
            }
            let mut response = json!({"jsonrpc": "2.0", "id": message["id"]});
            for (member, value) in answer(&message).as_object().unwrap() {
                response[member] = value.clone();
            }
            let stranger = client.open(version).await;
            for session in [&stranger, &session] {
                let reply = client.post(&[("mcp-session-id", session)], response.to_string()).await;
                assert_eq!(reply.status, 202);
            }
        }
    }
}

#[tokio::test]
async fn a_legacy_client_is_asked_while_its_call_is_open() {
    let client = Client::new();
    for version in ["2025-06-18", "2025-11-25"] {
        let answer = converse(&client, version, "ask", |asked| {
            assert_eq!(asked["method"], "elicitation/create");
            assert_eq!(asked["params"]["mode"].is_string(), version == "2025-11-25");
            json!({"result": named("Ann")["name"]})
        });
        assert_eq!(answer.await["result"]["content"][0]["text"], "Hello, Ann!");
    }
    let answer =
        converse(&client, "2025-11-25", "interview", |asked| match asked["method"].as_str().unwrap() {
            "sampling/createMessage" => json!({"result": {"content": {"type": "text", "text": "Rome"}}}),
            "roots/list" => json!({"result": {"roots": []}}),
            _ => {
                assert!(asked["params"]["elicitationId"].is_string());
                json!({"result": {"action": "decline"}})
            }
        });
    assert_eq!(answer.await["result"]["content"][0]["text"], "Rome 0 false");
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let client = Client::new();
    let answer = converse(&client, "2025-06-18", "ask", |_| json!({"error": {"code": -1, "message": "no"}}));
    let text = answer.await["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Then not") && text.contains("no"), "{text}");
    let answer = converse(&client, "2025-06-18", "ask", |_| json!({"result": {"action": "cancel"}}));
    assert!(answer.await["result"]["content"][0]["text"].as_str().unwrap().starts_with("Then not"));
}

#[tokio::test]
async fn asking_comes_to_an_end() {
    let client = Client::new();
    let asked = Mutex::new(0);
    let answer = converse(&client, "2025-06-18", "endless", |_| {
        *asked.lock() += 1;
        json!({"result": {"roots": []}})
    });
    assert_eq!(answer.await["error"]["code"], -32603);
    assert_eq!(*asked.lock(), 8);
    let session = client.open("2025-06-18").await;
    let refused = client.legacy(&session, "tools/call", json!({"name": "ask"})).await;
    refused.fails(200, -32021).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_is_not_waited_for() {
    let client = Client::new();
    let session = client.open_with("2025-06-18", json!({"roots": {}})).await;
    let events = client.legacy(&session, "tools/call", json!({"name": "endless"})).await.events().await;
    let methods: Vec<_> = events.iter().map(|event| event["method"].as_str().unwrap_or("answer")).collect();
    assert_eq!(methods, ["roots/list", "notifications/cancelled", "answer"]);
    assert_eq!(events[1]["params"]["requestId"], events[0]["id"]);
    assert_eq!(events[2]["error"]["code"], -32603);
}
