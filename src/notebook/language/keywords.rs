//! The grammars of names, and the names that a language keeps for itself. Sources are named at each
//! list.

use unicode_ident::{is_xid_continue, is_xid_start};

/// Letters, digits and `_`.
pub(super) fn ascii(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(word) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// `char::is_alphanumeric` would let `x²` pass, which no language takes.
pub(super) fn unicode(name: &str) -> bool {
    name.starts_with(|c| is_xid_start(c) || c == '_') && name.chars().all(is_xid_continue)
}

/// MATLAB, "namelengthmax": 63 characters.
pub(super) fn matlab(name: &str) -> bool {
    ascii(name) && !name.starts_with('_') && name.len() <= 63
}

/// R, `?make.names`: a dot may begin a name, but no digit behind it.
pub(super) fn r(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let rest = name.strip_prefix('.').unwrap_or(name);
    let dotted = rest.len() < name.len();
    let begins = |c: char| c.is_ascii_alphabetic() || (dotted && matches!(c, '_' | '.'));
    name.chars().all(word) && (rest.starts_with(begins) || name == ".")
}

/// Python 3.14, `keyword.kwlist`, and the one name that can't be assigned to.
pub(super) const PYTHON: &str = "\
    False None True and as assert async await break class continue def del elif else except \
    finally for from global if import in is lambda nonlocal not or pass raise return try while \
    with yield __debug__";

/// R, `?Reserved`.
pub(super) const R: &str = "\
    if else repeat while function for next break TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_ \
    NA_complex_ NA_character_ in ...";

/// Scala 2 and 3, "Lexical Syntax"; `_` alone is no variable.
pub(super) const SCALA: &str = "\
    abstract case catch class def do else enum export extends false final finally for forSome \
    given if implicit import lazy macro match new null object override package private protected \
    return sealed super then this throw trait true try type val var while with yield _";

/// Julia 1, "Keywords", and constants that can't be assigned to.
pub(super) const JULIA: &str = "\
    baremodule begin break catch const continue do else elseif end export false finally for \
    function global if import let local macro module nothing public quote return struct true try \
    using while Inf NaN Any Dict String Dates ccall _ __ ___";

/// MATLAB, `iskeyword`; names that literals use must keep their meaning too.
pub(super) const MATLAB: &str = "\
    break case catch classdef continue else elseif end for function global if otherwise parfor \
    persistent return spmd switch try while char containers datetime false inf nan true";

/// Octave 7, `iskeyword`; names that literals use must keep their meaning too.
pub(super) const OCTAVE: &str = "\
    __FILE__ __LINE__ break case catch classdef continue do else elseif end end_try_catch \
    end_unwind_protect endclassdef endenumeration endevents endfor endfunction endif endmethods \
    endparfor endproperties endswitch endwhile enumeration events for function get global if \
    methods otherwise parfor persistent properties return set spmd switch try until \
    unwind_protect unwind_protect_cleanup while containers false inf nan true";

/// C++23, [lex.key] and [lex.digraph], and macros of the headers that literals need.
pub(super) const CPP: &str = "\
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t \
    char32_t class compl concept const consteval constexpr constinit const_cast continue \
    co_await co_return co_yield decltype default delete do double dynamic_cast else enum \
    explicit export extern false float for friend goto if inline int long mutable namespace new \
    noexcept not not_eq nullptr operator or or_eq private protected public register \
    reinterpret_cast requires return short signed sizeof static static_assert static_cast struct \
    switch template this thread_local throw true try typedef typeid typename union unsigned \
    using virtual void volatile wchar_t while xor xor_eq EOF NULL assert errno stderr stdin \
    stdout std";

/// C# 13, "Keywords"; contextual ones can be names.
pub(super) const CSHARP: &str = "\
    abstract as base bool break byte case catch char checked class const continue decimal \
    default delegate do double else enum event explicit extern false finally fixed float for \
    foreach goto if implicit in int interface internal is lock long namespace new null object \
    operator out override params private protected public readonly ref return sbyte sealed short \
    sizeof stackalloc static string struct switch this throw true try typeof uint ulong \
    unchecked unsafe ushort using virtual void volatile while await System Dictionary Object";

/// F# 9, "Keyword reference", reserved words included.
pub(super) const FSHARP: &str = "\
    abstract and as asr assert base begin break checked class component const constraint \
    continue default delegate do done downcast downto elif else end event exception extern \
    external false finally fixed for fun function global if in include inherit inline interface \
    internal land lazy let lor lsl lsr lxor match member mixin mod module mutable namespace new \
    not null of open or override parallel private process protected public pure rec return \
    sealed select sig static struct tailcall then to trait true try type upcast use val virtual \
    void when while with yield box infinity nan System Map _";

/// PowerShell 7, `about_Automatic_Variables` and `about_Preference_Variables`: read-only, or with a
/// meaning of their own.
pub(super) const POWERSHELL: &str = "\
    args ConfirmPreference ConsoleFileName DebugPreference EnabledExperimentalFeatures env Error \
    ErrorActionPreference ErrorView Event EventArgs EventSubscriber ExecutionContext false \
    foreach FormatEnumerationLimit HOME Host InformationPreference input IsCoreCLR IsLinux \
    IsMacOS IsWindows LASTEXITCODE LogCommandHealthEvent Matches MaximumHistoryCount \
    MyInvocation NestedPromptLevel null OFS OutputEncoding PID PROFILE ProgressPreference \
    PSBoundParameters PSCmdlet PSCommandPath PSCulture PSDebugContext PSDefaultParameterValues \
    PSEdition PSEmailServer PSHOME PSItem PSModuleAutoLoadingPreference \
    PSNativeCommandArgumentPassing PSNativeCommandUseErrorActionPreference PSScriptRoot \
    PSSenderInfo PSSessionApplicationName PSSessionConfigurationName PSSessionOption PSStyle \
    PSUICulture PSVersionTable PWD Sender ShellId StackTrace switch this Transcript true \
    VerbosePreference WarningPreference WhatIfPreference _";

/// bash 5.2, "Bourne Shell Variables" and "Bash Variables", and what the dynamic linker reads: a
/// shell runs some of them, computes others, and refuses the rest.
pub(super) const BASH: &str = "\
    _ BASH BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND \
    BASH_COMPAT BASH_ENV BASH_EXECUTION_STRING BASH_LINENO BASH_LOADABLES_PATH BASH_REMATCH \
    BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION BASH_XTRACEFD CDPATH CHILD_MAX COLUMNS \
    COMPREPLY COMP_CWORD COMP_KEY COMP_LINE COMP_POINT COMP_TYPE COMP_WORDBREAKS COMP_WORDS \
    COPROC DIRSTACK EDITOR EMACS ENV EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FCEDIT FIGNORE \
    FUNCNAME FUNCNEST GLOBIGNORE GROUPS HISTCMD HISTCONTROL HISTFILE HISTFILESIZE HISTIGNORE \
    HISTSIZE HISTTIMEFORMAT HOME HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC INSIDE_EMACS \
    LANG LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_NUMERIC LC_TIME LD_AUDIT LD_LIBRARY_PATH \
    LD_PRELOAD LINENO LINES MACHTYPE MAIL MAILCHECK MAILPATH MAPFILE OLDPWD OPTARG OPTERR OPTIND \
    OSTYPE PATH PIPESTATUS POSIXLY_CORRECT PPID PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 \
    PS4 PWD RANDOM READLINE_ARGUMENT READLINE_LINE READLINE_MARK READLINE_POINT REPLY SECONDS \
    SHELL SHELLOPTS SHLVL SRANDOM TIMEFORMAT TMOUT TMPDIR UID VISUAL auto_resume histchars";

/// ECMAScript 2025, "Reserved Words", and names that can't be assigned to.
pub(super) const JAVASCRIPT: &str = "\
    arguments async await break case catch class const continue debugger default delete do else \
    enum eval export extends false finally for function if implements import in instanceof \
    interface let new null package private protected public return static super switch this \
    throw true try typeof var void while with yield Infinity NaN undefined Date globalThis";

/// Ruby 3, "Keywords", and constants that literals use.
pub(super) const RUBY: &str = "\
    __ENCODING__ __FILE__ __LINE__ BEGIN END alias and begin break case class def defined do \
    else elsif end ensure false for if in module next nil not or redo rescue retry return self \
    super then true undef unless until when while yield Float Time";
