//! The forms that literals have: numbers, texts, instants, lists and maps.

mod cpp;
pub(super) mod forms;
pub(super) mod instant;
pub(super) mod numbers;
pub(super) mod texts;

use serde_json::Value;

pub(super) use cpp::cpp;
pub(super) use forms::bash;
pub(super) use instant::Instant;

/// What a written value is, as far as its neighbours in a list have to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Null,
    Bool,
    /// An integer of 32 bits.
    Int,
    /// An integer that a float holds exactly.
    Long,
    /// An integer of 64 bits.
    Wide,
    /// A larger integer.
    Big,
    Float,
    Text,
    Instant,
    List(Box<Shape>),
    Map,
    /// Several of these, or nothing that could be told.
    Mixed,
}

/// What writes null, a truth value, a number, a text, or what JSON writes as a special object.
pub(super) type Scalar<'a> = &'a dyn Fn(&Value) -> Result<Part, String>;

/// A written value.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) shape: Shape,
}

/// What all parts of a list are, if neighbours may become one type without a change of value.
pub(super) fn joined(parts: &[Part]) -> Shape {
    let mut shapes = parts.iter().map(|part| part.shape.clone());
    let first = shapes.next().unwrap_or(Shape::Mixed);
    shapes.fold(first, join)
}

fn join(one: Shape, other: Shape) -> Shape {
    use Shape::{Float, Int, Long, Wide};
    match (one, other) {
        (one, other) if one == other => one,
        (Int, Long) | (Long, Int) => Long,
        (Int | Long, Wide) | (Wide, Int | Long) => Wide,
        (Int | Long, Float) | (Float, Int | Long) => Float,
        _ => Shape::Mixed,
    }
}
