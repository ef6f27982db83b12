//! What minijinja computes though nobody can have meant it: text against a number, text times a
//! number.

use minijinja::Value;
use minijinja::machinery::{ast, parse_expr};
use minijinja::value::ValueKind;

/// The value of a part of the expression, if it has one.
type Valued<'a> = &'a dyn Fn(&str) -> Option<Value>;

/// Refuses an expression whose operands don't belong together. One that can't be read, and parts
/// that have no value, are left to the evaluation itself.
pub(super) fn check(expression: &str, value: Valued<'_>) -> Result<(), String> {
    match parse_expr(expression) {
        Ok(tree) => visit(&tree, &|part| value(part), expression),
        Err(_) => Ok(()),
    }
}

/// What an operand is, as far as it matters.
#[derive(Clone, Copy, PartialEq)]
enum Operand {
    Number,
    NotANumber,
    Text,
    Other,
}

fn visit(expr: &ast::Expr<'_>, value: Valued<'_>, source: &str) -> Result<(), String> {
    // Inner parts first, so that no outer one is computed from what was refused.
    children(expr)
        .into_iter()
        .try_for_each(|child| visit(child, value, source))?;
    let operand = |expr: &ast::Expr<'_>| operand(expr, value, source);
    match expr {
        ast::Expr::Compare(compare) => {
            let mut left = operand(&compare.expr);
            for op in &compare.ops {
                let right = operand(&op.expr);
                if !matches!(op.op, ast::CompareOpKind::In | ast::CompareOpKind::NotIn) {
                    compared(left, right)?;
                }
                left = right;
            }
            Ok(())
        }
        ast::Expr::BinOp(op) => match op.op {
            ast::BinOpKind::Mul | ast::BinOpKind::Pow => {
                let both = [operand(&op.left), operand(&op.right)];
                let number = |one: &Option<Operand>| {
                    matches!(one, None | Some(Operand::Number | Operand::NotANumber))
                };
                match both.iter().all(number) {
                    true => Ok(()),
                    false => Err("it multiplies what is no number".into()),
                }
            }
            ast::BinOpKind::Eq
            | ast::BinOpKind::Ne
            | ast::BinOpKind::Lt
            | ast::BinOpKind::Lte
            | ast::BinOpKind::Gt
            | ast::BinOpKind::Gte => compared(operand(&op.left), operand(&op.right)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn operand(expr: &ast::Expr<'_>, value: Valued<'_>, source: &str) -> Option<Operand> {
    let span = expr.span();
    let part = source.get(span.start_offset as usize..span.end_offset as usize)?;
    let value = value(part)?;
    Some(match value.kind() {
        ValueKind::String => Operand::Text,
        ValueKind::Number if f64::try_from(value).is_ok_and(f64::is_nan) => Operand::NotANumber,
        ValueKind::Number => Operand::Number,
        _ => Operand::Other,
    })
}

fn compared(left: Option<Operand>, right: Option<Operand>) -> Result<(), String> {
    use Operand::{NotANumber, Number, Text};
    match (left, right) {
        // minijinja would put it above all numbers.
        (Some(NotANumber), _) | (_, Some(NotANumber)) => {
            Err("it compares what is not a number (nan)".into())
        }
        (Some(Text), Some(Number)) | (Some(Number), Some(Text)) => {
            Err("it compares text with a number".into())
        }
        _ => Ok(()),
    }
}

fn children<'a, 'b>(expr: &'b ast::Expr<'a>) -> Vec<&'b ast::Expr<'a>> {
    use ast::Expr;
    match expr {
        Expr::Var(_) | Expr::Const(_) => vec![],
        Expr::Slice(slice) => {
            let ends = [&slice.start, &slice.stop, &slice.step];
            let ends = ends.into_iter().filter_map(Option::as_ref);
            std::iter::once(&slice.expr).chain(ends).collect()
        }
        Expr::UnaryOp(op) => vec![&op.expr],
        Expr::BinOp(op) => vec![&op.left, &op.right],
        Expr::Compare(compare) => {
            let others = compare.ops.iter().map(|op| &op.expr);
            std::iter::once(&compare.expr).chain(others).collect()
        }
        Expr::IfExpr(all) => {
            let both = [&all.test_expr, &all.true_expr];
            both.into_iter().chain(&all.false_expr).collect()
        }
        Expr::Filter(filter) => filter.expr.iter().chain(arguments(&filter.args)).collect(),
        Expr::Test(test) => std::iter::once(&test.expr)
            .chain(arguments(&test.args))
            .collect(),
        Expr::GetAttr(get) => vec![&get.expr],
        Expr::GetItem(get) => vec![&get.expr, &get.subscript_expr],
        Expr::Call(call) => std::iter::once(&call.expr)
            .chain(arguments(&call.args))
            .collect(),
        Expr::List(list) => list.items.iter().collect(),
        Expr::Tuple(tuple) => tuple.items.iter().collect(),
        Expr::Map(map) => map.keys.iter().chain(&map.values).collect(),
    }
}

fn arguments<'a, 'b>(args: &'b [ast::CallArg<'a>]) -> impl Iterator<Item = &'b ast::Expr<'a>> {
    args.iter().map(|arg| match arg {
        ast::CallArg::Pos(expr)
        | ast::CallArg::Kwarg(_, expr)
        | ast::CallArg::PosSplat(expr)
        | ast::CallArg::KwargSplat(expr) => expr,
    })
}
