# bash completion: options as the program's own --help (of its subcommand, if there is one) lists them, else files.
_sdc_tools() {
  local current=${COMP_WORDS[COMP_CWORD]} command=("${COMP_WORDS[0]}") help
  case ${COMP_WORDS[1]-} in
    -* | '') ;;
    *) [ "$COMP_CWORD" -gt 1 ] && [[ ${COMP_WORDS[0]##*/} =~ ^(sdc|sd-store|sd-audit)$ ]] && command+=("${COMP_WORDS[1]}") ;;
  esac
  help=$("${command[@]}" --help 2>/dev/null) || return 0
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '--[a-z0-9][a-z0-9-]*' <<<"$help" | sort -u)" -- "$current")
  elif [ "$COMP_CWORD" -eq 1 ] && grep -q '^Subcommands:' <<<"$help"; then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^Subcommands:/,$s/^  \([a-z-]*\) .*/\1/p' <<<"$help")" -- "$current")
  fi
}
complete -o default -F _sdc_tools sdc sd-run sd-serve sd-deal sd-store sd-audit
