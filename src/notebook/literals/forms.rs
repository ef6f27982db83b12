//! Lists and maps as text of a language.

use serde_json::Value;

use super::{Part, Scalar, Shape, joined, texts};
use crate::run::{plain, special};

fn each(parts: &[Part], separator: &str) -> String {
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    texts.join(separator)
}

/// `[a, b]`: Python, JavaScript, Ruby.
pub(in crate::notebook) fn brackets(parts: &[Part]) -> Result<String, String> {
    Ok(format!("[{}]", each(parts, ", ")))
}

/// R.
pub(in crate::notebook) fn r_list(parts: &[Part]) -> Result<String, String> {
    Ok(format!("list({})", each(parts, ", ")))
}

/// Scala makes floats of integers beside floats, which rounds the large ones.
pub(in crate::notebook) fn scala_list(parts: &[Part]) -> Result<String, String> {
    let has = |shape: &Shape| parts.iter().any(|part| part.shape == *shape);
    let typed = if has(&Shape::Float) && has(&Shape::Wide) {
        "[Any]"
    } else {
        ""
    };
    Ok(format!("Seq{typed}({})", each(parts, ", ")))
}

/// Julia makes one type of neighbouring numbers and truth values, or of lists of such.
pub(in crate::notebook) fn julia_list(parts: &[Part]) -> Result<String, String> {
    let flavour = |part: &Part| match &part.shape {
        Shape::Int | Shape::Long | Shape::Wide | Shape::Big => Some(Shape::Int),
        shape @ (Shape::Bool | Shape::Float) => Some(shape.clone()),
        _ => None,
    };
    let lists = |part: &Part| matches!(part.shape, Shape::List(_)).then(|| part.shape.clone());
    let alike = |mut shapes: Vec<Shape>| {
        shapes.dedup();
        shapes.len() < 2
    };
    let plain = alike(parts.iter().filter_map(flavour).collect())
        && alike(parts.iter().filter_map(lists).collect());
    Ok(format!(
        "{}[{}]",
        if plain { "" } else { "Any" },
        each(parts, ", ")
    ))
}

/// MATLAB and Octave.
pub(in crate::notebook) fn cells(parts: &[Part]) -> Result<String, String> {
    Ok(format!("{{{}}}", each(parts, ", ")))
}

/// C# finds the type of an array only where there is one.
pub(in crate::notebook) fn csharp_list(parts: &[Part]) -> Result<String, String> {
    let typed = match joined(parts) {
        Shape::Mixed | Shape::Null => "object",
        _ => "",
    };
    Ok(format!("new {typed}[] {{ {} }}", each(parts, ", ")))
}

/// F# wants one type.
pub(in crate::notebook) fn fsharp_list(parts: &[Part]) -> Result<String, String> {
    let first = parts.first().map(|part| &part.shape);
    let alike = parts
        .iter()
        .all(|part| Some(&part.shape) == first && part.shape != Shape::Null);
    if alike {
        return Ok(format!("[ {} ]", each(parts, "; ")));
    }
    let boxed = |part: &Part| match part.shape {
        Shape::Null => "(null : obj)".to_owned(),
        _ => format!("box ({})", part.text),
    };
    let boxed: Vec<String> = parts.iter().map(boxed).collect();
    Ok(format!("[ {} ]", boxed.join("; ")))
}

/// `PowerShell` unrolls a list that is alone in a list.
pub(in crate::notebook) fn powershell_list(parts: &[Part]) -> Result<String, String> {
    let alone = matches!(
        parts,
        [Part {
            shape: Shape::List(_),
            ..
        }]
    );
    Ok(format!(
        "@({}{})",
        if alone { "," } else { "" },
        each(parts, ", ")
    ))
}

fn entries(
    parts: &[(&str, Part)],
    key: impl Fn(&str) -> Result<String, String>,
    entry: impl Fn(&str, &str) -> String,
) -> Result<Vec<String>, String> {
    let one = |(name, part): &(&str, Part)| Ok(entry(&key(name)?, &part.text));
    parts.iter().map(one).collect()
}

/// Python.
pub(in crate::notebook) fn python_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entries = entries(parts, texts::python, |key, value| format!("{key}: {value}"))?;
    Ok(format!("{{{}}}", entries.join(", ")))
}

/// R has no name that is empty.
pub(in crate::notebook) fn r_map(parts: &[(&str, Part)]) -> Result<String, String> {
    if parts.iter().any(|(key, _)| key.is_empty()) {
        return Err("R has no empty name in a list".into());
    }
    let entries = entries(parts, texts::r, |key, value| format!("{key} = {value}"))?;
    if entries.iter().any(|entry| entry.starts_with("paste0(")) {
        return Err("R reads no such long name that is not ASCII".into());
    }
    Ok(format!("list({})", entries.join(", ")))
}

/// Scala.
pub(in crate::notebook) fn scala_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entries = entries(parts, texts::scala, |key, value| {
        format!("{key} -> {value}")
    })?;
    Ok(format!("Map({})", entries.join(", ")))
}

/// Julia.
pub(in crate::notebook) fn julia_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entries = entries(parts, texts::julia, |key, value| {
        format!("{key} => {value}")
    })?;
    Ok(format!("Dict({})", entries.join(", ")))
}

/// Octave's map fails on an empty key; MATLAB's manual says nothing of one.
fn container(keys: &[String], parts: &[(&str, Part)]) -> Result<String, String> {
    if parts.iter().any(|(key, _)| key.is_empty()) {
        return Err("a containers.Map has no empty key".into());
    }
    let values: Vec<&str> = parts.iter().map(|(_, part)| part.text.as_str()).collect();
    Ok(match keys {
        [] => "containers.Map()".to_owned(),
        keys => format!(
            "containers.Map({{{}}}, {{{}}})",
            keys.join(", "),
            values.join(", ")
        ),
    })
}

/// MATLAB.
pub(in crate::notebook) fn matlab_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let keys: Vec<String> = parts
        .iter()
        .map(|(key, _)| texts::matlab_key(key))
        .collect();
    container(&keys, parts)
}

/// Octave.
pub(in crate::notebook) fn octave_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let keys = entries(parts, texts::octave, |key, _| key.to_owned())?;
    container(&keys, parts)
}

/// C#.
pub(in crate::notebook) fn csharp_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entries = entries(parts, texts::dotnet, |key, value| {
        format!("{{ {key} , {value} }}")
    })?;
    Ok(format!(
        "new Dictionary<string,Object>{{ {} }}",
        entries.join(", ")
    ))
}

/// F#.
pub(in crate::notebook) fn fsharp_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entries = entries(parts, texts::dotnet, |key, value| {
        format!("({key}, {value} :> IComparable)")
    })?;
    Ok(format!("[ {} ] |> Map.ofList", entries.join("; ")))
}

/// `PowerShell`'s keys are one whatever their case (`about_Hash_Tables`).
pub(in crate::notebook) fn powershell_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let mut folded = std::collections::HashSet::new();
    if let Some((key, _)) = parts
        .iter()
        .find(|(key, _)| !folded.insert(key.to_lowercase()))
    {
        let key = key.escape_debug();
        return Err(format!(
            "PowerShell has one key for all spellings of `{key}`"
        ));
    }
    let entries = entries(parts, texts::powershell, |key, value| {
        format!("{key} = {value}")
    })?;
    Ok(format!("@{{{}}}", entries.join("\n ")))
}

/// JavaScript; `__proto__` would set the object's ancestor.
pub(in crate::notebook) fn javascript_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entry = |key: &str, value: &str| match key {
        "\"__proto__\"" => format!("[{key}]: {value}"),
        _ => format!("{key}: {value}"),
    };
    let entries = entries(parts, texts::javascript, entry)?;
    Ok(format!("{{{}}}", entries.join(", ")))
}

/// Ruby.
pub(in crate::notebook) fn ruby_map(parts: &[(&str, Part)]) -> Result<String, String> {
    let entries = entries(parts, texts::ruby, |key, value| format!("{key} => {value}"))?;
    Ok(format!("{{{}}}", entries.join(", ")))
}

/// bash has lists of texts and nothing else: a map, and a list inside a list, are JSON.
pub(in crate::notebook) fn bash(scalar: Scalar<'_>, value: &Value) -> Result<String, String> {
    let json = |value: &Value| texts::bash(&plain(value).to_string());
    let one = |item: &Value| match item {
        Value::Array(_) => json(item),
        Value::Object(_) if special(item).is_none() => json(item),
        // Nothing at all would shift the elements after it.
        Value::Null => Ok("''".to_owned()),
        one => Ok(scalar(one)?.text),
    };
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(one).collect::<Result<_, _>>()?;
            Ok(format!("({})", items.join(" ")))
        }
        Value::Null => Ok(String::new()),
        other => one(other),
    }
}
