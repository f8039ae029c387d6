/// Parses a number of bytes as Redis's configuration has it: `1073741824`, `1024mb`, `1gb`; units of 1,024.
///
/// # Errors
/// A message that describes the fault.
pub fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let per_unit = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        unit => return Err(format!("{unit:?} is not a unit of memory: use kb, mb or gb")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_error| format!("{digits:?} is not a whole number; write for example 512mb or 2gb"))?;
    number.checked_mul(per_unit).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("1073741824"), Ok(1 << 30));
        assert_eq!(bytes("512mb"), Ok(512 << 20));
        assert_eq!(bytes("2GB"), Ok(2 << 30));
        assert_eq!(bytes("1k"), Ok(1_024));
        for bad in ["", "mb", "1.5gb", "-1", "1tb", "20000000000gb", "1 gb"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
