use redis::Cmd;

/// A Lua script with its contract.
///
/// The file begins with comment lines that declare the contents of `KEYS` and `ARGV`. Debug builds, and so all tests, check each call
/// against them.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    source: String,
    sha: String,
    contract: Contract,
    repeatable: bool,
}

/// A header line with this prefix declares that a second call right after the first changes nothing more and returns the same answer.
const REPEATABLE: &str = "-- Repeatable";

/// How many keys and arguments the header of a script declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Contract {
    keys: Arity,
    args: Arity,
}

/// A number of required items, and whether more may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Arity {
    fixed: usize,
    more: bool,
}

impl Arity {
    /// Reads `NAME[3]` and `NAME[4..]` from the comment lines at the beginning of a script.
    fn declared(source: &str, name: &str) -> Self {
        let mut arity = Self::default();
        for line in source.lines().map_while(|line| line.strip_prefix("--")) {
            let Some(place) = line
                .trim_start()
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('['))
            else {
                continue;
            };
            let Some((place, _)) = place.split_once(']') else {
                continue;
            };
            if place.ends_with("..") {
                arity.more = true;
            } else if let Ok(index) = place.parse::<usize>() {
                arity.fixed = arity.fixed.max(index);
            }
        }
        arity
    }

    const fn admits(self, count: usize) -> bool {
        count == self.fixed || (self.more && count > self.fixed)
    }
}

impl Script {
    /// Creates a script from its file, preceded by the shared functions that it uses (`""` if none).
    #[must_use]
    pub fn new(name: &'static str, include: &str, source: &str) -> Self {
        let contract = Contract {
            keys: Arity::declared(source, "KEYS"),
            args: Arity::declared(source, "ARGV"),
        };
        let repeatable = source
            .lines()
            .take_while(|line| line.starts_with("--"))
            .any(|line| line.starts_with(REPEATABLE));
        let source = format!("{include}{source}");
        let sha = redis::Script::new(&source).get_hash().to_owned();
        Self {
            name,
            source,
            sha,
            contract,
            repeatable,
        }
    }

    /// Returns whether a call whose reply was lost may be repeated.
    #[must_use]
    pub(super) const fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Returns an `EVALSHA` for `keys` keys. The caller appends the keys, then the arguments. `parts` (keys and arguments) and `bytes` are the
    /// expected sizes, for the allocation.
    #[must_use]
    pub fn call(&self, keys: usize, parts: usize, bytes: usize) -> Cmd {
        let mut cmd = Cmd::with_capacity(3 + parts, 64 + bytes);
        cmd.arg("EVALSHA").arg(&self.sha).arg(keys);
        cmd
    }

    /// Returns the same call with the source instead of its hash, for a server that does not have the script yet.
    pub(super) fn with_source(&self, call: &Cmd) -> Cmd {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(&self.source);
        for arg in call.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = arg {
                cmd.arg(bytes);
            }
        }
        cmd
    }
}

/// Returns the source of a function that a script defines only when it is called for the first time. `files` contain everything that it
/// needs; the last file defines the function.
///
/// Redis runs a script from its beginning at each call and creates all its functions again. Each costs about as much as a command, so
/// functions that few calls need are deferred.
#[must_use]
pub fn deferred(name: &str, files: &[&str]) -> String {
    format!(
        "local made_{name}\nlocal function {name}(...)\nif not made_{name} then\n{}made_{name} = {name}\nend\nreturn made_{name}(...)\nend\n",
        files.concat()
    )
}

/// Checks that a call has the number of keys and arguments that the script's header declares.
pub(super) fn assert_contract(script: &Script, call: &Cmd) {
    let total = call.args_iter().count();
    let keys = call.args_iter().nth(2).map_or(0, |arg| match arg {
        redis::Arg::Simple(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
        _ => 0,
    });
    let args = total.saturating_sub(3 + keys);
    assert!(
        script.contract.keys.admits(keys) && script.contract.args.admits(args),
        "{}: {keys} keys and {args} arguments do not fit its header {:?}",
        script.name,
        script.contract
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_declares_required_and_further_items() {
        let source = "-- a script\n-- KEYS[1] index\n-- KEYS[2..] snapshots\n-- ARGV[1] channel\nreturn KEYS[9]";
        let script = Script::new("s", "local function f() end\n", source);
        assert_eq!(script.contract.keys, Arity { fixed: 1, more: true });
        assert_eq!(script.contract.args, Arity { fixed: 1, more: false });
        assert!(!script.is_repeatable());
    }

    #[test]
    fn a_deferred_function_is_defined_within_its_first_call() {
        let text = deferred("f", &["local function g() end\n", "local function f() end\n"]);
        let (before, after) = text.split_once("local function g()").unwrap();
        assert!(before.ends_with("if not made_f then\n"), "{text}");
        assert!(after.contains("made_f = f\nend\nreturn made_f(...)"), "{text}");
    }

    #[test]
    fn a_header_declares_whether_a_call_may_be_repeated() {
        let is_repeatable = |source| Script::new("s", "", source).is_repeatable();
        assert!(is_repeatable("-- a script\n-- Repeatable: it only reads.\nreturn 1"));
        assert!(!is_repeatable(
            "-- a script\nreturn 1\n-- Repeatable: not in the header."
        ));
    }
}
