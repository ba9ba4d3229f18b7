# zdriver in bash: a function through which `zdriver go`, `feat`, `review`, `remove` … change this
# shell's directory, and completions. In ~/.bashrc:  eval "$(zdriver setup shell bash)"
#
# The function hands the program a private file in ZDRIVER_CD_FILE. What it writes there is a path,
# to the byte; it is never run. All else is the program's: its streams, its exit code.

function zdriver {
    \builtin local __zdriver_file __zdriver_path='' __zdriver_code=0
    if ! __zdriver_file=$(\command mktemp "${TMPDIR:-/tmp}/zdriver-cd.XXXXXXXXXX" 2>/dev/null); then
        \command zdriver "$@"
        \builtin return
    fi
    ZDRIVER_CD_FILE=$__zdriver_file ZDRIVER_PREVIOUS=${__zdriver_previous-} \
        \command zdriver "$@" || __zdriver_code=$?
    # Up to its end: a name may end in a newline, which $(…) would take off.
    if [[ -s $__zdriver_file ]]; then
        IFS= \builtin read -r -d '' __zdriver_path <"$__zdriver_file" || \builtin :
    fi
    \command rm -f -- "$__zdriver_file" || \builtin :
    # The same path may be another folder by now; the same folder needs no change.
    if [[ $__zdriver_path == /* && ! $__zdriver_path -ef . ]]; then
        \builtin set -- "$PWD"
        if \builtin cd -- "$__zdriver_path"; then
            __zdriver_previous=$1
        elif [[ $__zdriver_code == 0 ]]; then
            __zdriver_code=1
        fi
    fi
    \builtin return "$__zdriver_code"
}

# The completions come from the program at the first Tab; 124 tells bash to ask again.
function __zdriver_complete {
    \builtin eval "$(\command zdriver completions bash 2>/dev/null)"
    [[ $(\builtin complete -p zdriver 2>/dev/null) == *__zdriver_complete* ]] || \builtin return 124
}

\builtin complete -F __zdriver_complete zdriver 2>/dev/null || \builtin :
