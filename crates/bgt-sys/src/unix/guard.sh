# Lives as long as the host, and ends what the host has left when that is gone without a word.
# Told on stdin, a line each: `+ GROUP` starts, `- GROUP` is over, `= TOKEN` may live on. $1: what the host's tokens begin with.
trap '' HUP INT QUIT TERM
kept=''
# A variable a group: a list of them all would be gone through at the end of each program.
while read -r what which; do
  case $what in
    +) eval "group_$which=there" ;;
    -) unset "group_$which" ;;
    =) kept="$kept -e $which" ;;
  esac
done
set | while IFS== read -r name value; do
  case $name in group_[0-9]*) kill -s KILL -- "-${name#group_}" 2>/dev/null ;; esac
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
