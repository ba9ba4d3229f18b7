# zdriver in fish: a function through which `zdriver go`, `feat`, `review`, `remove` … change this
# shell's directory, and completions. In ~/.config/fish/conf.d/zdriver.fish:
#   zdriver setup shell fish | source
#
# The function hands the program a private file in ZDRIVER_CD_FILE. What it writes there is a path,
# to the byte; it is never run. All else is the program's: its streams, its exit code.

function zdriver --description 'Worktrees, intents and panes; may change this directory'
    set -l folder /tmp
    test -n "$TMPDIR"; and set folder $TMPDIR
    set -l file (command mktemp $folder/zdriver-cd.XXXXXXXXXX 2>/dev/null)
    or begin
        command zdriver $argv
        return
    end
    ZDRIVER_CD_FILE=$file ZDRIVER_PREVIOUS=$__zdriver_previous command zdriver $argv
    set -l code $status
    # Up to its end: a name may end in a newline, which (…) would take off.
    set -l path
    test -s $file; and read --null path <$file
    command rm -f -- $file
    if string match --quiet -- '/*' "$path"
        set -l before $PWD
        if not builtin cd $path
            test $code -eq 0; and set code 1
        else if test "$PWD" != "$before"
            set -g __zdriver_previous $before
            # As fish's own cd keeps it for `cd -`, `prevd` and `dirh`.
            set -q dirprev; or set -g dirprev
            set -a dirprev $before
            set -q dirprev[26]; and set -e dirprev[1]
            set -q dirnext; and set -e dirnext
            set -g __fish_cd_direction prev
        end
    end
    return $code
end

# The completions come from the program at the first Tab, and take this one's place.
function __zdriver_complete
    complete --erase --command zdriver
    command zdriver completions fish 2>/dev/null | source
    complete --do-complete (commandline --cut-at-cursor --current-process)
end

complete --command zdriver --no-files --arguments '(__zdriver_complete)'
