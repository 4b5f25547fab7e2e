# Lives as long as the host, and ends what the host has left when that is gone without a word.
# Told on stdin, a line each: `+ GROUP` starts, `- GROUP` is over, `= TOKEN` may live on. $1: what the host's tokens begin with.
trap '' HUP INT QUIT TERM
groups=' ' kept=''
while read -r what which; do
  case $what in
    +) groups="$groups$which " ;;
    -) case $groups in *" $which "*) groups="${groups%%" $which "*} ${groups#*" $which "}" ;; esac ;;
    =) kept="$kept -e $which" ;;
  esac
done
for group in $groups; do
  kill -s KILL -- "-$group" 2>/dev/null
done
# Who has left its group is known by its environment, where the system shows that.
[ -n "$1" ] && [ -r /proc/self/environ ] || exit 0
for round in 1 2 3 4 5 6 7 8 9 10; do
  found=''
  for file in $(grep -ls -e "$1" /proc/[0-9]*/environ); do
    process=${file#/proc/} process=${process%/environ}
    [ -z "$kept" ] || ! grep -qsw $kept "$file" || continue
    grep -qs -e "$1" "$file" && kill -s KILL "$process" 2>/dev/null && found=yes
  done
  [ -n "$found" ] || exit 0
done
