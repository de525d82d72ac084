"""The scripts that let a shell ask for completions, and where each shell looks for one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

_BASH: Final = """\
# Completion of predsurv for bash; written by 'predsurv completion'.
_predsurv() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
            return
        fi
        COMPREPLY+=("$line")
    done < <(predsurv __complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o nosort -F _predsurv predsurv 2>/dev/null || complete -F _predsurv predsurv
"""

_ZSH: Final = """\
#compdef predsurv
# Completion of predsurv for zsh; written by 'predsurv completion'.
_predsurv() {
    local line word help
    local -a described
    for line in "${(@f)$(predsurv __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == :files ]]; then
            _files
            return
        fi
        [[ -n $line ]] || continue
        word=${${line%%$'\\t'*}//:/\\\\:} help=${line#*$'\\t'}
        described+=("$word${help:+:$help}")
    done
    _describe -V predsurv described
}
if [[ $funcstack[1] == _predsurv ]]; then
    _predsurv "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _predsurv predsurv
fi
"""

_FISH: Final = """\
# Completion of predsurv for fish; written by 'predsurv completion'.
function __predsurv_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (predsurv __complete fish $words[2..-1] 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c predsurv -f -k -a '(__predsurv_complete)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

SHELLS: Final = tuple(SCRIPTS)


class CompletionPlace(NamedTuple):
    """Where a script goes, and the file of the user's in which ``line`` has to be, None where the shell finds it."""

    script: Path
    startup: Path | None
    line: str


def place_of(shell: str, environ: Mapping[str, str], home: Path) -> CompletionPlace:
    """Return where the script of ``shell`` belongs."""
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    if shell == "fish":
        folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        return CompletionPlace(folder / "fish" / "completions" / "predsurv.fish", None, "")
    script = data / "predsurv" / f"completion.{shell}"
    startup = home / ".bashrc" if shell == "bash" else Path(environ.get("ZDOTDIR") or home) / ".zshrc"
    quoted = str(script).replace("'", "'\\''")
    return CompletionPlace(script, startup, f"[ -r '{quoted}' ] && . '{quoted}'  # completion of predsurv")
