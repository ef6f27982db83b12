use super::*;

fn read(language: &str, source: &str) -> Vec<(String, Kind, String, String)> {
    let language = Language::find(None, Some(language)).expect("a language");
    let all = declared(source, language);
    all.into_iter()
        .map(|one| (one.name, one.kind, one.default, one.help))
        .collect()
}

/// Name, kind and default of each.
fn brief(language: &str, source: &str) -> String {
    let each = read(language, source);
    let each: Vec<String> = each
        .iter()
        .map(|(name, kind, default, help)| {
            let help = if help.is_empty() {
                String::new()
            } else {
                format!(" # {help}")
            };
            format!("{name}: {kind:?} = {default}{help}")
        })
        .collect();
    each.join("\n")
}

#[test]
fn python_assignments_are_read_as_python_reads_them() {
    let table = [
        ("run = 0", "run: Int = 0"),
        ("run=-1", "run: Int = -1"),
        ("beam: str = 'e'  # beam\n", "beam: Str = 'e' # beam"),
        ("name = \"a#b\"  # help", "name: Str = \"a#b\" # help"),
        ("url=\"?a=b\"", "url: Str = \"?a=b\""),
        ("f = g(a=1)", "f: Other = g(a=1)"),
        ("x = 1; y = 2.5 # both", "x: Int = 1\ny: Float = 2.5 # both"),
        ("a, b = 1, 'x'", "a: Int = 1\nb: Str = 'x'"),
        ("a = b = True", "a: Bool = True\nb: Bool = True"),
        ("if True:\n    z = 2\nelse: y = 1", ""),
        ("if x: y = 1; z = 2", ""),
        ("def f(a=1):\n  b = 2\nclass C: d = 3", ""),
        (
            "x == 3\nn += 1\na.b = 1\na[0] = 1\nbare: int\n1x = 2\nclass = 3",
            "",
        ),
        (
            "t = \"\"\"a\nb = 1\n\"\"\"\nc = 2",
            "t: Str = \"\"\"a\nb = 1\n\"\"\"\nc: Int = 2",
        ),
        ("l = [1, # one\n     2] # both", "l: Other = [1, 2] # both"),
        ("m: Literal[\"a\", 'b'] = \"a\"", "m: Other = \"a\""),
        ("o: Optional[int] = None", "o: Int = None"),
        ("o: float | None = None", "o: Float = None"),
        ("i = 1 # type: float energy", "i: Float = 1 # energy"),
        ("x = 1 \\\n  + 2", "x: Other = 1 + 2"),
        ("%matplotlib inline\n!echo it's\nx = 1", "x: Int = 1"),
        (
            "import datetime\nt: datetime.datetime = None",
            "t: Datetime = None",
        ),
        ("f = lambda a=1: a", "f: Other = lambda a=1: a"),
        ("s = r'\\'' # '", "s: Other = r'\\'' # '"),
        (
            "n = float('nan')\ne = 1e-3",
            "n: Float = float('nan')\ne: Float = 1e-3",
        ),
        ("x = 1\nx = 2.0", "x: Float = 2.0"),
        ("x = 0x10\ny = 1_000", "x: Int = 0x10\ny: Int = 1_000"),
        (
            "x = \"unterminated\ny = 1",
            "x: Str = \"unterminated\ny = 1",
        ),
        ("# only\n\n  \n", ""),
        ("x =", ""),
        ("é = 1\r\ny = 2\r\n", "é: Int = 1\ny: Int = 2"),
    ];
    for (source, expected) in table {
        assert_eq!(brief("python", source), expected, "{source}");
    }
}

#[test]
fn simple_assignments_of_the_other_languages_are_read() {
    let table = [
        (
            "R",
            "run <- 0 # the run\nbeam = \"e\"\nx<-1\nif (x < -1) { y <- 2 }\nf <- function(a=1) {\n b <- 2\n}\nok = TRUE",
            "run: Int = 0 # the run\nbeam: Str = \"e\"\nx: Int = 1\nf: Other = function(a=1) { b <- 2}\nok: Bool = TRUE",
        ),
        (
            "julia",
            "run = 0 # n\nconst e::Float64 = 1\nb = a'\nc = 'x'\ns = \"\"\"a\nb = 1\"\"\"\n#= x = 1\n=#\nfunction f()\n    y = 1\nend",
            "run: Int = 0 # n\ne: Float = 1\nb: Other = a'\nc: Str = 'x'\ns: Str = \"\"\"a\nb = 1\"\"\"",
        ),
        (
            "matlab",
            "run = 0; % the run\nbeam = 'it''s'; e = 1.5\nb = a';\n%{\nz = 1\n%}\n[p, q] = f(1);\nm = [1, 2; ...\n 3, 4];\nok = true, n = 2",
            "run: Int = 0 # the run\nbeam: Str = 'it''s'\ne: Float = 1.5\nb: Other = a'\nm: Other = [1, 2; 3, 4]\nok: Bool = true\nn: Int = 2",
        ),
        (
            "octave",
            "run = 0; # the run\ns = \"a\\\"b%\"; % t",
            "run: Int = 0 # the run\ns: Str = \"a\\\"b%\" # t",
        ),
        (
            "c++",
            "#include <string>\nint run = 0; // the run\nstd::string beam = \"a;b\"; double e = 1;\nauto x = 1.5f;\nconst long long n = 5, m = 6;\nstd::map<std::string, int> t = {{\"a\", 1}};\nif (x == 1) { int y = 2; }\nint z =\n 3;\na.b = 1; p->q = 2;\nvoid f() { int w = 1; }\nrun = 7;",
            "beam: Str = \"a;b\"\ne: Float = 1\nx: Float = 1.5f\nn: Int = 5\nm: Int = 6\nt: Other = {{\"a\", 1}}\nz: Int = 3\nrun: Int = 7",
        ),
        (
            "scala",
            "val run = 0 // the run\nvar e: Double = 1",
            "run: Int = 0 # the run\ne: Float = 1",
        ),
        (
            "javascript",
            "let run = 0; // the run\nconst s = `a\nb = 1`;",
            "run: Int = 0 # the run\ns: Other = `a\nb = 1`",
        ),
        (
            "bash",
            "run=0 # the run\nexport BEAM=\"e\"\ns='a # b'",
            "run: Int = 0 # the run\nBEAM: Str = \"e\"\ns: Str = 'a # b'",
        ),
        (
            "powershell",
            "$run = 0 # the run\n[string]$beam = 'it''s'",
            "run: Int = 0 # the run\nbeam: Str = 'it''s'",
        ),
        (
            "c#",
            "var run = 0; // the run\nstring p = @\"C:\\\";\ndouble e = 1;",
            "run: Int = 0 # the run\np: Str = @\"C:\\\"\ne: Float = 1",
        ),
        (
            "f#",
            "let run = 0 // the run\nlet mutable e : float = 1.0",
            "run: Int = 0 # the run\ne: Float = 1.0",
        ),
        (
            "ruby",
            "run = 0 # the run\nb = \"#{x} # y\"",
            "run: Int = 0 # the run\nb: Str = \"#{x} # y\"",
        ),
    ];
    for (language, source, expected) in table {
        assert_eq!(brief(language, source), expected, "{language}");
    }
}

#[test]
fn text_becomes_what_the_template_declares() {
    let table = [
        ("001234", Kind::Int, Some("1234")),
        ("-007", Kind::Int, Some("-7")),
        ("000", Kind::Int, Some("0")),
        ("-0", Kind::Int, Some("0")),
        ("+5", Kind::Int, Some("5")),
        ("12.5", Kind::Int, None),
        ("", Kind::Int, None),
        ("1_000", Kind::Int, None),
        (
            "123456789012345678901234567890",
            Kind::Int,
            Some("123456789012345678901234567890"),
        ),
        ("12.50", Kind::Float, Some("12.5")),
        ("12", Kind::Float, Some("12.0")),
        ("1e3", Kind::Float, Some("1000.0")),
        ("1e999", Kind::Float, None),
        ("nan", Kind::Float, Some("{\"$float\":\"nan\"}")),
        ("x", Kind::Float, None),
        ("True", Kind::Bool, Some("true")),
        ("1", Kind::Bool, None),
        ("001", Kind::Str, None),
        ("001", Kind::Other, None),
        (
            "2026-11-21T05:27:45Z",
            Kind::Datetime,
            Some("{\"$datetime\":\"2026-11-21T05:27:45Z\"}"),
        ),
        ("yesterday", Kind::Datetime, None),
    ];
    for (text, kind, expected) in table {
        let typed = typed(text, kind).map(|value| value.to_string());
        assert_eq!(typed.as_deref(), expected, "{text} {kind:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_source_makes_it_panic(source: String, pieces in "[a-z=<>,;:'\"#%{}()\\[\\]\\\\\n /*.$-]{0,60}") {
        for language in crate::notebook::language::ALL {
            let _ = declared(&source, language);
            let _ = declared(&pieces, language);
        }
    }
}
