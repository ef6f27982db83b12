hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
dump() {
    case "$(declare -p "$1")" in
        declare\ -a*)
            local -n list=$1
            printf '['
            local item
            for item in "${list[@]}"; do printf 's'; hex "$item"; printf ','; done
            printf ']'
            ;;
        *) local -n text=$1; printf 's'; hex "$text" ;;
    esac
    printf '\n'
}
