use std::collections::HashMap;

use super::*;

struct Map(HashMap<&'static str, &'static str>);

impl Headers for Map {
    fn get(&self, name: &str) -> Header<'_> {
        self.0.get(name).map_or(Header::Absent, |value| Header::Value(value))
    }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

const MODERN: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;
const UNKNOWN: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"v999.0.0","io.modelcontextprotocol/clientCapabilities":{}}}"#;
const LEGACY_CLAIM: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","io.modelcontextprotocol/clientCapabilities":{}}}"#;
const NO_VERSION: &str = r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#;
const NO_CAPABILITIES: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;

#[test]
fn the_era_follows_the_claim_and_then_the_header() {
    #[track_caller]
    fn check(header: Option<&str>, params: &str, era: Era) {
        let params = raw(params);
        let header = header.map_or(Header::Absent, Header::Value);
        assert_eq!(of(header, &Peek::of(Some(&params))), era);
    }
    check(None, "{}", Era::Legacy);
    check(None, "[]", Era::Legacy);
    check(Some("2024-11-05"), "{}", Era::Legacy);
    check(Some("2025-03-26"), "{}", Era::Legacy);
    check(Some("2025-06-18"), "{}", Era::Legacy);
    check(Some("2025-11-25"), NO_VERSION, Era::Legacy);
    check(None, MODERN, Era::Modern);
    check(Some("2025-11-25"), MODERN, Era::Modern);
    check(Some("2026-07-28"), "{}", Era::Modern);
    check(Some("2026-07-28"), MODERN, Era::Modern);
    check(Some("v999.0.0"), "{}", Era::Modern);
    check(None, LEGACY_CLAIM, Era::Modern);
    check(None, r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":null}}"#, Era::Modern);
}

#[test]
fn the_first_fault_answers() {
    #[track_caller]
    fn check(
        method: &str,
        params: &str,
        headers: Option<&[(&'static str, &'static str)]>,
        code: Option<i32>,
    ) {
        let params = raw(params);
        let map = headers.map(|headers| Map(headers.iter().copied().collect()));
        let map = map.as_ref().map(|map| map as &dyn Headers);
        let outcome = admit(method, &Peek::of(Some(&params)), map, |_| None);
        assert_eq!(outcome.as_ref().err().map(Error::code), code, "{outcome:?}");
    }
    let list = "tools/list";
    let good: &[_] = &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", list)];
    let other: &[_] = &[("mcp-protocol-version", "2025-11-25"), ("mcp-method", list)];
    let unknown: &[_] = &[("mcp-protocol-version", "v999.0.0"), ("mcp-method", list)];

    check(list, MODERN, Some(good), None);
    check(list, MODERN, None, None);
    // An incomplete envelope comes before headers that contradict it,
    check(list, "{}", Some(good), Some(-32602));
    check(list, "[]", Some(good), Some(-32602));
    check(list, r#"{"_meta":7}"#, Some(good), Some(-32602));
    check(list, NO_VERSION, Some(other), Some(-32602));
    check(list, NO_CAPABILITIES, Some(other), Some(-32602));
    check(list, r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}"#, Some(good), Some(-32602));
    // these before the version,
    check(list, MODERN, Some(other), Some(-32020));
    check(list, MODERN, Some(&[]), Some(-32020));
    check(list, UNKNOWN, Some(good), Some(-32020));
    check(list, LEGACY_CLAIM, Some(good), Some(-32020));
    // and the version before all that follows.
    check(list, UNKNOWN, Some(unknown), Some(-32022));
    check(list, UNKNOWN, None, Some(-32022));
    check(list, LEGACY_CLAIM, Some(other), Some(-32022));
    check(list, LEGACY_CLAIM, None, Some(-32022));
}

#[test]
fn an_unserved_version_is_told_what_is_served() {
    let params = raw(UNKNOWN);
    let error = admit("tools/list", &Peek::of(Some(&params)), None, |_| None).unwrap_err();
    let expected = serde_json::json!({"supported": ["2026-07-28"], "requested": "v999.0.0"});
    assert_eq!(error.data(), Some(&expected));
}

#[test]
fn mirrored_arguments_come_after_the_version() {
    let schema = serde_json::json!({"properties": {"a": {"type": "string", "x-mcp-header": "A"}}});
    let mirrors: std::sync::Arc<[Mirror]> = Mirror::all(&schema).unwrap().into();
    let params = raw(&MODERN.replacen('{', r#"{"name":"t","arguments":{"a":"x"},"#, 1));
    let check = |headers: &[(&'static str, &'static str)], code: Option<i32>| {
        let base = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "t")];
        let map = Map(base.into_iter().chain(headers.iter().copied()).collect());
        let outcome = admit("tools/call", &Peek::of(Some(&params)), Some(&map), |_| Some(mirrors.clone()));
        assert_eq!(outcome.err().map(|error| error.code()), code);
    };
    check(&[("mcp-param-a", "x")], None);
    check(&[("mcp-param-a", "y")], Some(-32020));
    check(&[], Some(-32020));
}

#[test]
fn log_levels_and_progress_tokens() {
    #[track_caller]
    fn check(meta: &str, level: Result<Option<Level>, i32>, token: Option<&str>) {
        let params = raw(&MODERN.replacen("{}}}", &format!("{{}},{meta}}}}}"), 1));
        let peek = Peek::of(Some(&params));
        let admitted = admit("ping", &peek, None, |_| None);
        assert_eq!(admitted.map(|admitted| admitted.log_level).map_err(|error| error.code()), level);
        assert_eq!(peek.progress_token(), token);
    }
    check(r#""x":1"#, Ok(None), None);
    check(r#""io.modelcontextprotocol/logLevel":"warning""#, Ok(Some(Level::Warning)), None);
    check(r#""io.modelcontextprotocol/logLevel":"loud""#, Err(-32602), None);
    check(r#""progressToken":"a""#, Ok(None), Some(r#""a""#));
    check(r#""progressToken":-7"#, Ok(None), Some("-7"));
    check(r#""progressToken":{}"#, Ok(None), None);
}
