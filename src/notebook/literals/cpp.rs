//! C++: a list is a `std::vector`, a map a `std::map`, each of one type.

use serde_json::Value;

use super::{Scalar, Shape, joined, texts};
use crate::run::special;

/// A value's type, as deep as it goes.
#[derive(Clone, PartialEq)]
enum Type {
    One(Shape),
    List(Option<Box<Type>>),
    Map(Option<Box<Type>>),
}

/// The value with its type; numbers of several widths become the widest.
pub(in crate::notebook) fn cpp(scalar: Scalar<'_>, value: &Value) -> Result<String, String> {
    let kind = type_of(scalar, value)?;
    written(scalar, value, &kind)
}

fn is_map(value: &Value) -> bool {
    value.is_object() && special(value).is_none()
}

fn type_of(scalar: Scalar<'_>, value: &Value) -> Result<Type, String> {
    let inner = |values: &mut dyn Iterator<Item = &Value>| -> Result<_, String> {
        let mut common: Option<Type> = None;
        for value in values {
            let kind = type_of(scalar, value)?;
            common = Some(match common {
                Some(common) => common_type(common, kind)?,
                None => kind,
            });
        }
        Ok(common.map(Box::new))
    };
    match value {
        Value::Array(items) => Ok(Type::List(inner(&mut items.iter())?)),
        Value::Object(entries) if is_map(value) => Ok(Type::Map(inner(&mut entries.values())?)),
        one => Ok(Type::One(scalar(one)?.shape)),
    }
}

fn common_type(one: Type, other: Type) -> Result<Type, String> {
    let inner = |one: Option<Box<Type>>, other: Option<Box<Type>>| match (one, other) {
        (Some(one), Some(other)) => common_type(*one, *other).map(|kind| Some(Box::new(kind))),
        (one, other) => Ok(one.or(other)),
    };
    match (one, other) {
        (Type::One(one), Type::One(other)) => {
            let part = |shape| super::Part {
                text: String::new(),
                shape,
            };
            match joined(&[part(one), part(other)]) {
                Shape::Mixed => Err(several()),
                shape => Ok(Type::One(shape)),
            }
        }
        (Type::List(one), Type::List(other)) => Ok(Type::List(inner(one, other)?)),
        (Type::Map(one), Type::Map(other)) => Ok(Type::Map(inner(one, other)?)),
        _ => Err(several()),
    }
}

fn several() -> String {
    "a list or map in C++ holds values of one type only".into()
}

fn name(kind: &Type) -> String {
    // Nothing tells the type of what is empty.
    let inner = |kind: &Option<Box<Type>>| kind.as_deref().map_or("int".into(), name);
    match kind {
        Type::List(kind) => format!("std::vector<{}>", inner(kind)),
        Type::Map(kind) => format!("std::map<std::string, {}>", inner(kind)),
        Type::One(shape) => match shape {
            Shape::Null => "std::nullptr_t",
            Shape::Bool => "bool",
            Shape::Int => "int",
            Shape::Long | Shape::Wide => "long long",
            Shape::Big => "unsigned long long",
            Shape::Float => "double",
            Shape::Instant => {
                "std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>"
            }
            _ => "std::string",
        }
        .to_owned(),
    }
}

fn written(scalar: Scalar<'_>, value: &Value, kind: &Type) -> Result<String, String> {
    let inner = |kind: &Option<Box<Type>>, value: &Value| match kind {
        Some(kind) => written(scalar, value, kind),
        None => Ok(String::new()),
    };
    let items: Vec<String> = match (value, kind) {
        (Value::Array(items), Type::List(kind)) => items
            .iter()
            .map(|item| inner(kind, item))
            .collect::<Result<_, _>>()?,
        (Value::Object(entries), Type::Map(kind)) => {
            let entry = |(key, item): (&String, &Value)| {
                Ok(format!("{{{}, {}}}", texts::cpp(key)?, inner(kind, item)?))
            };
            entries.iter().map(entry).collect::<Result<_, String>>()?
        }
        (one, _) => return Ok(scalar(one)?.text),
    };
    Ok(format!("{}{{{}}}", name(kind), items.join(", ")))
}
