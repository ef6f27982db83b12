//! Numbers as text.

use super::{Part, Shape};

/// Up to here a float of 64 bits holds every integer.
const EXACT: i64 = 1 << 53;

/// The most digits that Python 3.11 reads in an integer (`sys.set_int_max_str_digits`).
const DIGITS: usize = 4300;

/// A float's text, which all languages here read alike: Python's `repr`.
pub(in crate::notebook) fn float(text: &str) -> Result<String, String> {
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(repr(float)),
        _ => Err(format!("{text} is out of the range of a float")),
    }
}

/// The shortest digits that read back the same, an exponent below 1e-4 and from 1e16.
fn repr(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = float.to_string();
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

fn part(text: impl Into<String>, shape: Shape) -> Result<Part, String> {
    Ok(Part {
        text: text.into(),
        shape,
    })
}

fn shape(digits: &str) -> Shape {
    match digits.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => Shape::Int,
        Ok(value) if value.unsigned_abs() <= EXACT.unsigned_abs() => Shape::Long,
        Ok(_) => Shape::Wide,
        Err(_) => Shape::Big,
    }
}

/// Any size, as it stands.
pub(in crate::notebook) fn any(digits: &str) -> Result<Part, String> {
    part(digits, shape(digits))
}

/// Any size that Python reads.
pub(in crate::notebook) fn python(digits: &str) -> Result<Part, String> {
    match digits.trim_start_matches('-').len() {
        ..=DIGITS => any(digits),
        many => Err(format!("Python reads no integer of {many} digits")),
    }
}

/// Numbers that are floats behind the scenes.
pub(in crate::notebook) fn float_only(digits: &str) -> Result<Part, String> {
    match shape(digits) {
        shape @ (Shape::Int | Shape::Long) => part(digits, shape),
        _ => Err(format!(
            "{digits} would be rounded: integers are exact up to 2^53 there"
        )),
    }
}

/// 32 bits, 64 bits with `L`, beyond as a call.
fn suffixed(digits: &str, big: impl Fn(&str) -> String) -> Result<Part, String> {
    match shape(digits) {
        Shape::Int => part(digits, Shape::Int),
        Shape::Big => part(big(digits), Shape::Big),
        shape => part(format!("{digits}L"), shape),
    }
}

/// Scala.
pub(in crate::notebook) fn scala(digits: &str) -> Result<Part, String> {
    suffixed(digits, |digits| format!("BigInt(\"{digits}\")"))
}

/// C#.
pub(in crate::notebook) fn csharp(digits: &str) -> Result<Part, String> {
    suffixed(digits, |digits| {
        format!("System.Numerics.BigInteger.Parse(\"{digits}\")")
    })
}

/// F#.
pub(in crate::notebook) fn fsharp(digits: &str) -> Result<Part, String> {
    suffixed(digits, |digits| format!("{digits}I"))
}

/// `PowerShell` would make a decimal and then a float of what is beyond 64 bits.
pub(in crate::notebook) fn powershell(digits: &str) -> Result<Part, String> {
    match shape(digits) {
        Shape::Big => part(format!("[bigint]::Parse('{digits}')"), Shape::Big),
        // The digits of the smallest one are beyond 64 bits before the sign is seen.
        _ if digits == i64::MIN.to_string() => part("[long]::MinValue", Shape::Wide),
        shape => part(digits, shape),
    }
}

/// JavaScript.
pub(in crate::notebook) fn javascript(digits: &str) -> Result<Part, String> {
    match shape(digits) {
        shape @ (Shape::Int | Shape::Long)
            if digits.trim_start_matches('-') != "9007199254740992" =>
        {
            part(digits, shape)
        }
        _ => part(format!("{digits}n"), Shape::Big),
    }
}

/// C++, up to 64 bits without a sign.
pub(in crate::notebook) fn cpp(digits: &str) -> Result<Part, String> {
    match shape(digits) {
        Shape::Int => part(digits, Shape::Int),
        // The digits of the smallest one are out of range before the sign is seen.
        Shape::Wide if digits == i64::MIN.to_string() => {
            part(format!("({}LL - 1)", i64::MIN + 1), Shape::Wide)
        }
        Shape::Big if digits.parse::<u64>().is_ok() => part(format!("{digits}ULL"), Shape::Big),
        Shape::Big => Err(format!("C++ holds no integer as large as {digits}")),
        shape => part(format!("{digits}LL"), shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_python() {
        let cases = [
            ("1e22", "1e+22"),
            ("1E-07", "1e-07"),
            ("1.0", "1.0"),
            ("100000.0", "100000.0"),
            ("1e3", "1000.0"),
            ("-0.0", "-0.0"),
            ("5e-324", "5e-324"),
            ("1e16", "1e+16"),
            ("123456789012345.678", "123456789012345.67"),
        ];
        for (json, python) in cases {
            assert_eq!(float(json).as_deref(), Ok(python));
        }
        assert!(float("1e999").is_err());
    }

    #[test]
    fn every_width_has_its_form_at_its_border() {
        type Form = fn(&str) -> Result<Part, String>;
        let cases: &[(Form, &str, Option<&str>)] = &[
            (scala, "2147483647", Some("2147483647")),
            (scala, "-2147483649", Some("-2147483649L")),
            (
                scala,
                "9223372036854775808",
                Some("BigInt(\"9223372036854775808\")"),
            ),
            (csharp, "2147483648", Some("2147483648L")),
            (
                fsharp,
                "-9223372036854775809",
                Some("-9223372036854775809I"),
            ),
            (float_only, "9007199254740992", Some("9007199254740992")),
            (float_only, "9007199254740993", None),
            (javascript, "9007199254740991", Some("9007199254740991")),
            (javascript, "-9007199254740992", Some("-9007199254740992n")),
            (
                cpp,
                "-9223372036854775808",
                Some("(-9223372036854775807LL - 1)"),
            ),
            (cpp, "18446744073709551615", Some("18446744073709551615ULL")),
            (cpp, "18446744073709551616", None),
            (powershell, "-9223372036854775808", Some("[long]::MinValue")),
            (
                powershell,
                "9223372036854775808",
                Some("[bigint]::Parse('9223372036854775808')"),
            ),
            (any, "9223372036854775808", Some("9223372036854775808")),
        ];
        for (form, digits, text) in cases {
            assert_eq!(
                form(digits).ok().map(|part| part.text).as_deref(),
                *text,
                "{digits}"
            );
        }
        assert!(python(&"1".repeat(4301)).is_err());
    }
}
