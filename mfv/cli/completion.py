"""`mfv completion`"""

from typing import Annotated

from mfv.cli.command import argument
from mfv.errors import EXIT_OK, UsageError, did_you_mean

BASH = r"""# Completion of mfv for bash: source it, or put it into
# ~/.local/share/bash-completion/completions/mfv
_mfv() {
    local line word cut=""
    # bash begins a new word at a colon, and replaces only that.
    word="${COMP_LINE:0:COMP_POINT}"
    word="${word##* }"
    if [[ "$COMP_WORDBREAKS" == *:* && "$word" == *:* ]]; then cut="${word%"${word##*:}"}"; fi
    COMPREPLY=()
    while IFS= read -r line; do
        line="${line%%$'\t'*}"
        if [[ "$line" == "@files" ]]; then
            compopt -o default
            return
        fi
        line="$(printf '%q' "$line")"
        COMPREPLY+=("${line#"$cut"}")
    done < <(mfv --complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o nosort -F _mfv mfv 2>/dev/null || complete -F _mfv mfv
"""

ZSH = r"""#compdef mfv
# Completion of mfv for zsh: put it into a folder of $fpath as _mfv, or source it.
_mfv() {
    local line name
    local -a names shown
    while IFS= read -r line; do
        name="${line%%$'\t'*}"
        if [[ "$name" == "@files" ]]; then
            _files
            return
        fi
        names+=("$name")
        shown+=("$name  ${line#*$'\t'}")
    done < <(mfv --complete "${LBUFFER}" 2>/dev/null)
    (( ${#names} )) && compadd -l -d shown -- "${names[@]}"
}
if [[ "${funcstack[1]}" == "_mfv" ]]; then _mfv "$@"; else compdef _mfv mfv; fi
"""

FISH = r"""# Completion of mfv for fish: put it into ~/.config/fish/completions/mfv.fish
function __mfv_complete
    set -l found (mfv --complete (commandline -cp) 2>/dev/null)
    if test "$found[1]" = "@files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c mfv -f -a '(__mfv_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def command(
    shell: Annotated[str, argument("bash, zsh or fish.", "SHELL")],
) -> int:
    """Print what makes a shell complete commands, options, runs, tags, steps and artifacts.

    Examples: mfv completion bash >> ~/.bashrc · mfv completion zsh > ~/.zfunc/_mfv ·
    mfv completion fish > ~/.config/fish/completions/mfv.fish
    """
    if shell not in SCRIPTS:
        hint = did_you_mean(shell, SCRIPTS) or f"there are {', '.join(SCRIPTS)}"
        raise UsageError(f"there is no completion for {shell!r}", hint=hint)
    print(SCRIPTS[shell], end="")
    return EXIT_OK
