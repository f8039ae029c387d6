mod bounds;

use super::Fields;
use crate::http::{FieldError, Problem};
use crate::ids::Id;
use crate::json::RESERVED;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

fn read(body: &str) -> Result<(i64, Option<Id>, Vec<i64>), Problem> {
    let mut fields = Fields::parse(body.as_bytes())?;
    let quantity = fields.required("quantity", |fields, name| fields.integer(name, 1..=10));
    let owner = fields.id("owner");
    let items = fields.each("items", 0..=2, |item| {
        item.required("n", |item, name| item.integer(name, 0..=9))
    });
    fields.finish(quantity.map(|quantity| (quantity, owner, items.unwrap_or_default())))
}

/// Reads a body with `data` of any form.
fn map(body: &str) -> Result<Option<Map<String, Value>>, Problem> {
    let mut fields = Fields::parse(body.as_bytes())?;
    let data = fields.map("data");
    fields.finish(Some(data))
}

#[test]
fn what_is_acceptable_is_read() {
    let (quantity, owner, items) = read(r#"{"quantity":3,"owner":null,"items":[{"n":1},{"n":2}]}"#).unwrap();
    assert_eq!((quantity, owner, items), (3, None, vec![1, 2]));
}

#[test]
fn every_fault_is_named_with_its_place() {
    let problem = read(r#"{"quantity":11,"owner":"a b","items":[{"n":"1"},7]}"#).unwrap_err();
    let body = serde_json::to_value(&problem).unwrap();
    let pointers: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(pointers, ["/quantity", "/owner", "/items/0/n", "/items/1"]);
    assert!(read("{}").unwrap_err().to_string().contains("/quantity: is missing"));
}

#[test]
fn an_unknown_member_is_refused_with_the_nearest_known_name() {
    let problem = read(r#"{"Quantity":3,"items":[{"n":1,"m":2}],"a/b":{}}"#).unwrap_err();
    let body = serde_json::to_value(&problem).unwrap();
    let expected = serde_json::json!([
        {"pointer": "/quantity", "detail": "is missing"},
        {"pointer": "/items/0/m", "detail": "is unknown: known are `n`"},
        {"pointer": "/Quantity", "detail": "is unknown: did you mean `quantity`?"},
        {"pointer": "/a~1b", "detail": "is unknown: known are `quantity`, `owner`, `items`"},
    ]);
    assert_eq!(body["errors"], expected);
    // An unknown member is refused even if its value is `null`.
    assert!(read(r#"{"quantity":3,"x":null}"#).is_err());
}

#[test]
fn a_member_that_is_given_twice_is_refused_at_any_depth() {
    for body in [
        r#"{"quantity":3,"quantity":3}"#,
        r#"{"quantity":3,"quantity":null}"#,
        r#"{"quantity":3,"items":[{"n":1,"n":2}]}"#,
    ] {
        let problem = read(body).unwrap_err().to_string();
        assert!(
            problem.starts_with("422") && problem.contains("is given twice"),
            "{problem}"
        );
    }
    for data in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"\u0062":2}}"#,
        r#"{"a":[{"b":1,"b":2}]}"#,
    ] {
        let problem = map(&format!(r#"{{"data":{data}}}"#)).unwrap_err().to_string();
        assert!(
            problem.starts_with("422") && problem.contains("is given twice"),
            "{problem}"
        );
    }
}

#[test]
fn every_repeated_member_is_named() {
    let problem = read(r#"{"quantity":3,"items":[{"n":1,"n":2}],"a~b":1,"a\u007eb":2,"quantity":1}"#).unwrap_err();
    let body = serde_json::to_value(&problem).unwrap();
    let expected = serde_json::json!([
        {"pointer": "/a~0b", "detail": "is given twice"},
        {"pointer": "/quantity", "detail": "is given twice"},
        {"pointer": "/items/0/n", "detail": "is given twice"},
        {"pointer": "/a~0b", "detail": "is unknown: known are `quantity`, `owner`, `items`"},
    ]);
    assert_eq!(body["errors"], expected);
}

#[test]
fn numbers_beyond_the_range_are_told_from_what_is_none() {
    for out_of_range in ["0", "-1", "9007199254740993", "18446744073709551615"] {
        let problem = read(&format!(r#"{{"quantity":{out_of_range}}}"#)).unwrap_err();
        assert!(problem.to_string().contains("must be 1 to 10"), "{problem}");
    }
    for no_integer in ["1.5", "1.0", "1e0", "-0", "18446744073709551616", "\"3\"", "true", "[]"] {
        let problem = read(&format!(r#"{{"quantity":{no_integer}}}"#)).unwrap_err();
        assert!(problem.to_string().contains("must be a whole number"), "{problem}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    assert!(read("[1]").unwrap_err().to_string().starts_with("422"));
    assert!(read("{").unwrap_err().to_string().starts_with("400"));
    assert!(read(&"[".repeat(10_000)).unwrap_err().to_string().starts_with("400"));
}

#[test]
fn a_map_is_read_as_serde_json_reads_it() {
    for data in [
        r#"{"a":[1,-2,3.5,1e300,18446744073709551615,-9223372036854775808,0.1,-0.0],"b":{"c":null,"d":"\u00e9\n"}}"#,
        r#"{"a":true,"":{},"x":[[],{}]}"#,
    ] {
        let expected: Value = serde_json::from_str(data).unwrap();
        let read = map(&format!(r#"{{"data":{data}}}"#)).unwrap().unwrap();
        assert_eq!(Value::Object(read), expected);
    }
    assert!(map("{}").unwrap().is_none() && map(r#"{"data":null}"#).unwrap().is_none());
    let problem = map(r#"{"data":[]}"#).unwrap_err().to_string();
    assert!(problem.contains("/data: must be an object"), "{problem}");
}

#[test]
fn what_the_parser_cannot_represent_is_a_400_wherever_it_is_read() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for value in [
        "",
        "nul",
        "1e999",
        r#""\ud800""#,
        r#"["\ud800"]"#,
        r#"{"\ud800":1}"#,
        &deep,
    ] {
        for body in [
            value.to_owned(),
            format!(r#"{{"a":{value}}}"#),
            format!(r#"{{"quantity":{value}}}"#),
            format!(r#"{{"quantity":1,"quantity":{value}}}"#),
            format!(r#"{{"quantity":1,"items":{value}}}"#),
            format!(r#"{{"quantity":1,"items":[{{"n":{value}}}]}}"#),
            format!(r#"{{"quantity":1,"items":[{{"n":1}},{{"x":{value}}}]}}"#),
        ] {
            assert!(serde_json::from_str::<Value>(&body).is_err());
            let problem = read(&body).unwrap_err();
            let answer = serde_json::to_value(&problem).unwrap();
            assert_eq!(
                (&answer["status"], answer.get("errors")),
                (&400.into(), None),
                "{body:.60}: {problem}"
            );
        }
        assert!(
            map(&format!(r#"{{"data":{{"a":{value}}}}}"#))
                .unwrap_err()
                .to_string()
                .starts_with("400")
        );
    }
    assert!(read("{} {}").unwrap_err().to_string().starts_with("400"));
    // A caller that has no answer of its own for it gets it as a fault.
    let mut fields = Fields::parse(br#"{"a":1e999}"#).unwrap();
    assert!(fields.number("a", 0.0..=1.0).is_none());
    assert_eq!(fields.faults(Some(())).unwrap_err()[0].pointer, "/a");
}

#[test]
fn the_name_that_serde_json_keeps_for_itself_is_refused_wherever_it_is() {
    // As it is, and in other letters for the same.
    for name in [
        RESERVED,
        r"\u0024serde_json::private::RawValue",
        r"$serde_json::privat\u0065::RawValue",
    ] {
        for body in [
            format!(r#"{{"{name}":"{{}}"}}"#),
            format!(r#"{{"data":{{"{name}":"{{\"a\":1}}"}}}}"#),
            format!(r#"{{"data":{{"a":[1,{{"a":1,"{name}":"[]"}}]}}}}"#),
        ] {
            let problem = map(&body).unwrap_err();
            assert!(problem.to_string().starts_with("422"), "{body}: {problem}");
        }
        // As a value it is nothing but a text.
        assert!(map(&format!(r#"{{"data":{{"a":"{name}"}}}}"#)).is_ok());
    }
}

#[test]
fn a_part_is_kept_as_it_was_written_and_the_rest_is_read() {
    let body = br#"{"n": 7, "payload": {"b" : 1, "a":[1.0, 1e400]}, "na\u006de": "x", "no": null, "nil": null}"#;
    let mut fields = Fields::parse(body).unwrap();
    let payload = fields.take("payload").unwrap();
    assert_eq!(payload.get(), r#"{"b" : 1, "a":[1.0, 1e400]}"#);
    assert!(fields.take("no").is_none() && fields.take("payload").is_none());
    assert_eq!(fields.value("nil").map(RawValue::get), Some("null"));
    assert_eq!(
        (fields.integer("n", 0..=9), fields.text("name", 9)),
        (Some(7), Some("x".to_owned()))
    );
    fields.refuse("n", "is odd");
    assert_eq!(fields.faults(Some(())).unwrap_err()[0].pointer, "/n");
}

#[test]
fn a_body_of_one_or_many_names_the_elements() {
    let read = |body: &str| {
        Fields::parse_one_or_many(body.as_bytes(), 1..=2, |fields| {
            fields.required("n", |fields, name| fields.integer(name, 0..=9))
        })
    };
    assert_eq!(read(r#"{"n":1}"#).unwrap(), (vec![1], false));
    assert_eq!(read(r#" [{"n":1},{"n":2}]"#).unwrap(), (vec![1, 2], true));
    for (body, pointer) in [
        ("[]", ""),
        ("7", ""),
        (r#"[{"n":1},{"n":2},{"n":3}]"#, ""),
        (r#"[{"n":1},7]"#, "/1"),
        (r#"[{"n":1},{"n":10}]"#, "/1/n"),
        (r#"{"n":10}"#, "/n"),
    ] {
        let problem = serde_json::to_value(read(body).unwrap_err()).unwrap();
        assert_eq!(
            (&problem["status"], &problem["errors"][0]["pointer"]),
            (&422.into(), &pointer.into()),
            "{body}"
        );
    }
}

#[test]
fn another_name_of_a_member_counts_as_the_member() {
    let lat = |body: &str| {
        let mut fields = Fields::parse(body.as_bytes()).unwrap();
        fields.alias("latitude", "lat");
        let lat = fields.number("lat", -90.0..=90.0);
        fields.faults(lat)
    };
    assert_eq!((lat(r#"{"lat":1}"#), lat(r#"{"latitude":1}"#)), (Ok(1.0), Ok(1.0)));
    assert_eq!(
        lat(r#"{"latitude":1,"lat":1}"#).unwrap_err(),
        [FieldError::new("lat", "is given twice")]
    );
    assert_eq!(
        lat(r#"{"latitude":91}"#).unwrap_err(),
        [FieldError::new("lat", "must be -90 to 90")]
    );
}

#[test]
fn strings_of_an_array_are_judged_one_by_one() {
    let mut fields =
        Fields::parse(br#"{"a":["x","",7,"xxx"],"b":["x","y","z"],"c":{},"d":null,"e":["x","y"]}"#).unwrap();
    let mut texts = |name| fields.texts(name, 2, 1..=2);
    assert_eq!(
        (texts("b"), texts("c"), texts("d"), texts("e")),
        (None, None, None, Some(vec!["x".to_owned(), "y".to_owned()]))
    );
    assert_eq!(fields.texts("a", 4, 1..=2), Some(vec!["x".to_owned()]));
    let faults = fields.faults(Some(())).unwrap_err();
    let pointers: Vec<_> = faults.iter().map(|fault| &*fault.pointer).collect();
    assert_eq!(pointers, ["/b", "/c", "/a/1", "/a/2", "/a/3"]);
}
