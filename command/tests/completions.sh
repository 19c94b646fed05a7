#!/bin/sh
# SPDX-License-Identifier: MIT
# TAP: what the completions offer is what the command's help lists.
set -u

build=${TOP_BUILDDIR:-$(pwd)}
source=${TOP_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
PATH=$build/command:$PATH
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../../tests/support/tap.sh"

# offers PROMISE GOT WANTED
offers() { is "$1" "$3" "$2"; }

# The words that bash would complete the last of, on one line.
bash_offers() {
    bash --norc -c '
        . "$0/command/completions/bash/cowshim"
        COMP_WORDS=("$@")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _cowshim
        echo ${COMPREPLY[@]+"${COMPREPLY[@]}"}
    ' "$source" "$@" 2>/dev/null
}

# The line that an interactive zsh has after TAB.
zsh_completes() {
    timeout 30 zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1= PS2= RPS1=; stty -echo 2>/dev/null
            fpath=($1/command/completions/zsh \$fpath); autoload -Uz compinit; compinit -u -D; bindkey \"^I\" complete-word
            show() { print -r -- \"<\$BUFFER>\"; BUFFER=; zle .accept-line }; zle -N show; bindkey \"^X\" show; print READY"
        zpty -r -m shell line "*READY*" || exit
        zpty -w -n shell "$2"$'"'\\t\\x18'"'
        zpty -r -m shell line "*<*>*"
        print -r -- "${${line##*<}%%>*}"
        zpty -d shell
    ' zsh "$source" "$1"
}

options=$(cowshim run --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | tr '\n' ' ')
options=${options% }

if command -v bash >/dev/null; then
    offers 'bash: commands' "$(bash_offers cowshim r)" 'run report'
    offers 'bash: options of run are those of its help' "$(bash_offers cowshim run --)" "$options"
    offers 'bash: values of a choice' "$(bash_offers cowshim run --mode '')" 'auto registered off'
    offers 'bash: values behind =' "$(bash_offers cowshim run --mode = o)" 'off'
    offers 'bash: after an option with its value comes the next option' \
        "$(bash_offers cowshim run --mode off --mo)" '--mode'
    offers 'bash: an option that stands alone takes no value' "$(bash_offers cowshim run --stats --mo)" '--mode'
    offers 'bash: options of profile' "$(bash_offers cowshim profile --ap)" '--apply'
    offers 'bash: a program behind a file' "$(bash_offers cowshim profile --output out.html cowshim-to)" 'cowshim-tools'
    offers 'bash: files of report' "$(cd "$source" && bash_offers cowshim report LIC)" 'LICENSE'
    offers 'bash: programs' "$(bash_offers cowshim run -- cowshim-to)" 'cowshim-tools'
    for command in stat map top doctor; do
        options=$(cowshim $command --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | tr '\n' ' ')
        offers "bash: options of $command are those of its help" "$(bash_offers cowshim $command --)" "${options% }"
    done
    offers 'bash: colours of map' "$(bash_offers cowshim map --color '')" 'auto always never'
    offers 'bash: behind = as well' "$(bash_offers cowshim map --color = al)" 'always'
    offers 'bash: stat takes no words' "$(bash_offers cowshim stat wor)" ''
    offers 'bash: what follows the program is not ours' "$(bash_offers cowshim run env --mo)" ''
else
    skip 'bash completion' 'bash is not installed'
fi
if command -v zsh >/dev/null; then
    offers 'zsh: syntax' "$(zsh -n "$source/command/completions/zsh/_cowshim" 2>&1)" ''
    offers 'zsh: commands' "$(zsh_completes 'cowshim ru')" 'cowshim run '
    offers 'zsh: options' "$(zsh_completes 'cowshim run --mo')" 'cowshim run --mode='
    offers 'zsh: values of a choice' "$(zsh_completes 'cowshim run --mode re')" 'cowshim run --mode registered '
    offers 'zsh: options of profile' "$(zsh_completes 'cowshim profile --ap')" 'cowshim profile --apply '
    offers 'zsh: files of report' "$(cd "$source" && zsh_completes 'cowshim report LIC')" 'cowshim report LICENSE '
    offers 'zsh: what follows the program is not ours' "$(zsh_completes 'cowshim run true --mo')" 'cowshim run true --mo'
else
    skip 'zsh: syntax' 'zsh is not installed'
fi
end
