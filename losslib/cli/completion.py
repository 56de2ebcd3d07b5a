"""``losslib completion``: scripts for shells, written from the parser and the registry, so Tab starts no Python."""

from __future__ import annotations

import argparse

from losslib.declaration.registry import all_losses
from losslib.names.tables import PACKAGES
from losslib.names.text import all_names

__all__ = ["SHELLS", "script"]

SHELLS = ("bash", "zsh", "fish")

EXAMPLES = """\
examples:
  losslib completion bash > ~/.local/share/bash-completion/completions/losslib
  losslib completion zsh > "${fpath[1]}/_losslib"
  losslib completion fish > ~/.config/fish/completions/losslib.fish"""

#: Commands whose positional arguments are names of losses.
WITH_LOSSES = ("describe", "compute", "bench")


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Return the completion script of a shell."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands_of(parser))


def commands_of(parser: argparse.ArgumentParser) -> dict[str, dict[str, str]]:
    """Return the options of every command with their help."""
    found: dict[str, dict[str, str]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found[name] = {
                    option: " ".join((item.help or "").split())
                    for item in command._actions
                    for option in item.option_strings
                    if option.startswith("--")
                }
    return found


def _names() -> list[str]:
    return [info.name for info in all_losses()]


def _packages() -> list[str]:
    return [f"{key}:" for key in PACKAGES]


def _bash(commands: dict[str, dict[str, str]]) -> str:
    cases = "\n".join(f'        {name}) options="{" ".join(options)}" ;;' for name, options in commands.items())
    return f"""\
# bash completion of losslib
_losslib() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" options="" whole
    whole="${{COMP_LINE:0:COMP_POINT}}"
    whole="${{whole##* }}"
    [[ -z $whole ]] && whole="$word"
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "{" ".join(commands)} --help --version" -- "$word"))
        return
    fi
    case "$command" in
{cases}
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    elif [[ $command == completion ]]; then
        COMPREPLY=($(compgen -W "{" ".join(SHELLS)}" -- "$word"))
    elif [[ " {" ".join(WITH_LOSSES)} " == *" $command "* && ${{COMP_WORDS[COMP_CWORD-1]}} != --* ]]; then
        # Bash takes a colon for the end of a word: what stands before it has been typed and is not replaced.
        COMPREPLY=($(compgen -W "{" ".join([*_names(), *all_names()])}" -- "$whole"))
        [[ $whole == *:* ]] && COMPREPLY=("${{COMPREPLY[@]#"${{whole%"${{whole##*:}}"}}"}}")
    elif [[ $command == list && ${{COMP_WORDS[COMP_CWORD-1]}} != --* ]]; then
        COMPREPLY=($(compgen -W "{" ".join(_packages())}" -- "$whole"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _losslib losslib"""


def _zsh(commands: dict[str, dict[str, str]]) -> str:
    cases = "\n".join(
        f"        {name}) options=({' '.join(_quote(f'{option}:{text}') for option, text in options.items())}) ;;"
        for name, options in commands.items()
    )
    return f"""\
#compdef losslib
# zsh completion of losslib
_losslib() {{
    local -a options
    if (( CURRENT == 2 )); then
        compadd -- {" ".join(commands)} --help --version
        return
    fi
    case "$words[2]" in
{cases}
    esac
    if [[ $words[CURRENT] == -* ]]; then
        _describe option options
    elif [[ $words[2] == completion ]]; then
        compadd -- {" ".join(SHELLS)}
    elif [[ " {" ".join(WITH_LOSSES)} " == *" $words[2] "* && $words[CURRENT-1] != --* ]]; then
        compadd -- {" ".join([*_names(), *all_names()])}
    elif [[ "$words[2]" == list && $words[CURRENT-1] != --* ]]; then
        compadd -- {" ".join(_packages())}
    else
        _files
    fi
}}
compdef _losslib losslib"""


def _fish(commands: dict[str, dict[str, str]]) -> str:
    lines = ["# fish completion of losslib"]
    lines.append(f"complete -c losslib -n __fish_use_subcommand -f -a {_quote(' '.join(commands))}")
    for name, options in commands.items():
        seen = f"__fish_seen_subcommand_from {name}"
        for option, text in options.items():
            lines.append(f"complete -c losslib -n {_quote(seen)} -l {option.removeprefix('--')} -d {_quote(text)}")
    with_losses = _quote(f"__fish_seen_subcommand_from {' '.join(WITH_LOSSES)}")
    lines.append(f"complete -c losslib -n {with_losses} -a {_quote(' '.join([*_names(), *all_names()]))}")
    in_list = _quote("__fish_seen_subcommand_from list")
    lines.append(f"complete -c losslib -n {in_list} -f -a {_quote(' '.join(_packages()))}")
    lines.append(f"complete -c losslib -n '__fish_seen_subcommand_from completion' -f -a {_quote(' '.join(SHELLS))}")
    return "\n".join(lines)


def _quote(text: str) -> str:
    """Quote for a shell."""
    return "'" + text.replace("'", "") + "'"
