//! The bindings, written by hand, against the C headers: the same functions, with the same
//! types in the same order, and the same struct.

use std::collections::BTreeMap;
use std::fs;

/// Name -> "result(argument, ...)", in C's words.
type Functions = BTreeMap<String, String>;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn without_comments(text: &str) -> String {
    let mut rest = text;
    let mut bare = String::new();
    while let Some(start) = rest.find("/*") {
        bare.push_str(&rest[..start]);
        let end = rest[start..].find("*/").expect("a comment ends") + start + 2;
        rest = &rest[end..];
    }
    bare + rest
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("* ", "*")
}

/// "const void *p" -> "const void *"; the name is what stands last.
fn c_type(declaration: &str) -> String {
    let declaration = declaration.trim();
    let name = declaration.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
    match name {
        0 => declaration.to_string(), // "void"
        _ => declaration[..name].trim().to_string(),
    }
}

/// The prototypes whose names begin with one of `prefixes`.
fn c_functions(header: &str, prefixes: &[&str]) -> Functions {
    let text = without_comments(header);
    let text: String =
        text.lines().filter(|l| !l.trim_start().starts_with('#')).collect::<Vec<_>>().join(" ");
    let mut functions = Functions::new();
    for statement in text.replace(['{', '}'], ";").split(';') {
        let statement = words(statement);
        let statement = statement.split(" PYMEM_ATTR").next().unwrap();
        let (open, close) = match (statement.find('('), statement.find(')')) {
            (Some(open), Some(close)) => (open, close),
            _ => continue,
        };
        let head = &statement[..open];
        let result = c_type(head);
        let name = head[result.len()..].trim();
        if !prefixes.iter().any(|p| name.starts_with(p)) {
            continue;
        }
        let arguments: Vec<_> = statement[open + 1..close].split(',').map(c_type).collect();
        let arguments = arguments.join(", ").replace("void)", ")");
        let arguments = if arguments == "void" { String::new() } else { arguments };
        functions.insert(name.to_string(), format!("{result}({arguments})"));
    }
    functions
}

fn in_c(rust: &str) -> String {
    match rust.trim() {
        "" => "void",
        "*mut c_void" => "void *",
        "*const c_void" => "const void *",
        "*const c_char" => "const char *",
        "*mut pymem_stats" => "struct pymem_stats *",
        "usize" => "size_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "bool" => "bool",
        "c_int" => "int",
        other => panic!("a type that this test does not know: {other}"),
    }
    .to_string()
}

/// What the extern blocks declare.
fn rust_functions(source: &str, prefixes: &[&str]) -> Functions {
    let mut functions = Functions::new();
    for declaration in source.split("pub fn ").skip(1) {
        let declaration = words(&declaration[..declaration.find(';').expect("a declaration ends")]);
        let open = declaration.find('(').expect("a function has arguments");
        let close = declaration.rfind(')').expect("a function has arguments");
        let name = &declaration[..open];
        if !prefixes.iter().any(|p| name.starts_with(p)) {
            continue;
        }
        let arguments: Vec<_> = declaration[open + 1..close]
            .split(',')
            .filter(|a| !a.trim().is_empty())
            .map(|a| in_c(a.split_once(':').expect("an argument has a type").1))
            .collect();
        let result = in_c(declaration[close + 1..].trim().trim_start_matches("->"));
        functions.insert(name.to_string(), format!("{result}({})", arguments.join(", ")));
    }
    functions
}

#[test]
fn our_functions_are_those_of_the_headers() {
    let mut c = Functions::new();
    for header in ["malloc.h", "pymem.h", "stats.h"] {
        c.extend(c_functions(&read(&format!("c/include/pymem/{header}")), &["pymem_"]));
    }
    let mut rust = rust_functions(&read("src/lib.rs"), &["pymem_"]);
    rust.retain(|name, _| !name.starts_with("pymem_host_"));
    assert!(c.len() >= 15, "the headers were not understood: {c:?}");
    assert_eq!(rust, c);
}

#[test]
fn the_hosts_functions_are_those_of_host_c() {
    let source = read("src/host.c");
    let c = c_functions(source.split("#define DOMAIN").next().unwrap(), &["pymem_host_"]);
    let rust = rust_functions(&read("src/lib.rs"), &["pymem_host_"]);
    assert_eq!(rust.get("pymem_host_is_present"), Some(&"bool()".to_string()));
    assert_eq!(c.get("pymem_host_is_present"), Some(&"bool()".to_string()));
    let header = c_functions(&read("c/include/pymem/pymem.h"), &["PyMem_"]);
    for (name, types) in rust.iter().filter(|(name, _)| name.as_str() != "pymem_host_is_present") {
        let name = name.trim_start_matches("pymem_host_");
        let (domain, function) = name.split_once('_').expect("a domain and a function");
        let prefix = if domain == "raw" { "PyMem_Raw" } else { "PyMem_" };
        let function = function[..1].to_uppercase() + &function[1..];
        assert_eq!(header.get(&format!("{prefix}{function}")), Some(types), "{name}");
    }
    assert_eq!(rust.len(), 9);
}

#[test]
fn cpythons_functions_are_those_of_the_header() {
    let c = c_functions(&read("c/include/pymem/pymem.h"), &["PyMem_"]);
    let rust = rust_functions(&read("src/lib.rs"), &["PyMem_"]);
    assert_eq!(rust.len(), 8);
    for (name, types) in &rust {
        assert_eq!(c.get(name), Some(types), "{name}");
    }
}

#[test]
fn the_struct_has_the_headers_members() {
    let header = without_comments(&read("c/include/pymem/stats.h"));
    let body = &header[header.find("struct pymem_stats {").expect("the struct") + 20..];
    let body = &body[..body.find('}').expect("the struct ends")];
    let c: Vec<_> = body
        .split(';')
        .map(words)
        .filter(|m| !m.is_empty())
        .map(|m| m.split_once(' ').map(|(t, n)| (n.to_string(), t.to_string())).unwrap())
        .collect();
    let source = read("src/lib.rs");
    let body = &source[source.find("pub struct pymem_stats {").expect("the struct") + 24..];
    let body = &body[..body.find('}').expect("the struct ends")];
    let rust: Vec<_> = body
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub ")?.strip_suffix(',')?.split_once(": "))
        .map(|(name, rust)| (name.to_string(), in_c(rust)))
        .collect();
    assert_eq!(rust.len(), 16);
    assert_eq!(rust, c);
}

#[test]
fn the_version_is_the_headers() {
    let header = read("c/include/pymem/stats.h");
    let version = format!("#define PYMEM_STATS_VERSION {}", pymem_sys::PYMEM_STATS_VERSION);
    assert!(header.lines().any(|l| l == version));
}
