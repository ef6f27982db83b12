# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nbcourier_global_optspecs
    string join \n c/config= json q/quiet v/verbose color= h/help V/version
end

function __fish_nbcourier_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nbcourier_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nbcourier_using_subcommand
    set -l cmd (__fish_nbcourier_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nbcourier -n "__fish_nbcourier_needs_command" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_needs_command" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_needs_command" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -s V -l version -d 'Print version'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "daemon" -d 'Watch, render and deliver; systemd starts this'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "init" -d 'Write a commented configuration, check it, say what is next; on a terminal, ask for what is missing'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "check" -d 'Check configuration, watches, templates, credentials, hub and scopes'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "status" -d 'Health first, then the last runs'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "runs" -d 'List runs'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "show" -d 'Everything that happened to a run'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "retry" -d 'Deliver now what waits, is held or failed; a delivered notebook stays as it is'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "skip" -d 'Never deliver'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "submit" -d 'Deliver run directories by hand'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "reload" -d 'Take over the configuration as its files now stand, or say why it can\'t be (as SIGHUP does)'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "backup" -d 'Copy the ledger into a new file, while the daemon runs'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "restore" -d 'Put a backup in the place of the ledger, which is kept beside it; the daemon must be stopped'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "render" -d 'Render a notebook without any network'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "demo" -d 'See the whole thing work, in a directory of its own'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "generate" -d 'What packages hold besides the program'
complete -c nbcourier -n "__fish_nbcourier_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -l only -d 'Do only one half of the work, where several machines share a ledger' -r -f -a "detect\t'Find runs and record them'
deliver\t'Deliver what is recorded'"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand daemon" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l hub -d 'Deliver to a `JupyterHub`' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l server -d 'Deliver to a plain Jupyter Server' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l path -d 'Deliver into a directory' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l swan -d 'Deliver to CERN SWAN, or to another hub with its software' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l keytab -d 'Into the space of this service account in SWAN' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l release -d 'The software in SWAN; without it, what the account chose there last' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l watch -d 'The parent of the run directories' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l learn -d 'The same, and learn from the runs in it what they are called, what ends them and where their metadata are; without a destination, add the watch to the configuration that is there' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l user -d 'The user of the hub; without it, the token\'s owner' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l template -d 'The template; without it a small one is written' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l state -d 'The state directory' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l login -d 'Log a person in, on a page that may be opened anywhere, and keep the refresh token for this destination of the configuration that is there' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l token -d 'Into the space of the person who makes a token in SWAN'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand init" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -l replay -d 'Also render every notebook for the last N real runs, without network' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -l offline -d 'Ask no hub and no server'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -l deliver -d 'Also upload a test notebook to each destination, removed again where that is possible; starts servers'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand check" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -l watch -d 'Go on until Ctrl-C: redrawn on a terminal; with --json a line for each change'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand status" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -l state -d 'Only runs in this state, or with a job in it' -r -f -a "acquiring\t''
ready\t''
ignored\t''
waiting\t''
delivering\t''
delivered\t''
held\t''
failed\t''
skipped\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -l since -d 'Only runs seen since: 8h, 2d, or a date such as 2026-11-01' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -l all -d 'All of them, not only the last 50'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand runs" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand show" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand show" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand show" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand show" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand show" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand show" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -l since -d 'Only runs seen since: 8h, 2d, or a date such as 2026-11-01' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -l held -d 'Only jobs that wait for a person, of these runs or of all'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -l failed -d 'Only jobs that were given up, of these runs or of all'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -l fresh -d 'A new copy, by today\'s template, beside each notebook that stands already'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand retry" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -l since -d 'Only runs seen since: 8h, 2d, or a date such as 2026-11-01' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -l held -d 'Only jobs that wait for a person, of these runs or of all'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -l failed -d 'Only jobs that were given up, of these runs or of all'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand skip" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -s p -l parameter -d 'A parameter, typed as papermill does' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -l wait -d 'Wait until all are delivered or need a person'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand submit" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand reload" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand reload" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand reload" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand reload" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand reload" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand reload" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand backup" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand backup" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand backup" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand backup" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand backup" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand backup" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand restore" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand restore" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand restore" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand restore" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand restore" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand restore" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -l run -d 'Render what would be delivered for this run directory, without network' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s p -l parameter -d 'A parameter; True, False, None and numbers become such, but text with leading zeros, `_`, blanks, nan and inf stays text unless the template\'s default is a number' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s r -l raw -d 'A parameter that stays text' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s f -l file -d 'A file of parameters: JSON, YAML 1.2 or TOML by its extension; `-` is stdin, JSON or YAML' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s y -l yaml -d 'Parameters in YAML 1.2' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s b -l base64 -d 'Parameters in YAML 1.2, in Base64' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s k -l kernel -d 'The notebook\'s kernel, in place of the template\'s; it is written into the notebook' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s l -l language -d 'The language that parameters are written in, in place of the kernel\'s' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -l help-notebook -d 'Show what the template takes: names, types, defaults, help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -l diff -d 'Show what rendering changes in the template; OUT may be left out'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand render" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -l for -d 'End after this time, for example 30s' -r
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -l dir -d 'Where everything is kept' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -l hub -d 'Deliver into a real `JupyterHub`, installed below the directory (python3, node ≥ 20)'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand demo" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -f -a "man" -d 'Write the manual pages into a directory'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -f -a "completion" -d 'Print the completions of a shell'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and not __fish_seen_subcommand_from man completion help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from man" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from man" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from man" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from man" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from man" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from man" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from completion" -s c -l config -d 'The configuration' -r -F
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from completion" -l color -d 'Colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from completion" -l json -d 'Print JSON'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from completion" -s q -l quiet -d 'Only warnings; twice: only errors'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from completion" -s v -l verbose -d 'More about what is being done; twice: everything'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from completion" -s h -l help -d 'Print help'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from help" -f -a "man" -d 'Write the manual pages into a directory'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from help" -f -a "completion" -d 'Print the completions of a shell'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand generate; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "daemon" -d 'Watch, render and deliver; systemd starts this'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "init" -d 'Write a commented configuration, check it, say what is next; on a terminal, ask for what is missing'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "check" -d 'Check configuration, watches, templates, credentials, hub and scopes'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "status" -d 'Health first, then the last runs'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "runs" -d 'List runs'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "show" -d 'Everything that happened to a run'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "retry" -d 'Deliver now what waits, is held or failed; a delivered notebook stays as it is'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "skip" -d 'Never deliver'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "submit" -d 'Deliver run directories by hand'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "reload" -d 'Take over the configuration as its files now stand, or say why it can\'t be (as SIGHUP does)'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "backup" -d 'Copy the ledger into a new file, while the daemon runs'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "restore" -d 'Put a backup in the place of the ledger, which is kept beside it; the daemon must be stopped'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "render" -d 'Render a notebook without any network'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "demo" -d 'See the whole thing work, in a directory of its own'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "generate" -d 'What packages hold besides the program'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and not __fish_seen_subcommand_from daemon init check status runs show retry skip submit reload backup restore render demo generate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and __fish_seen_subcommand_from generate" -f -a "man" -d 'Write the manual pages into a directory'
complete -c nbcourier -n "__fish_nbcourier_using_subcommand help; and __fish_seen_subcommand_from generate" -f -a "completion" -d 'Print the completions of a shell'
