# Lives as long as the host, and ends what the host has left when that is gone without a word.
# Told on stdin, a line each: `+ GROUP` starts, `- GROUP` is over. $1: what the tokens of the trees begin with.
trap '' HUP INT QUIT TERM
# A variable a group, so that its end costs the same however many there are; and a list of all, swept when it has become
# twice as long as what lives.
groups='' listed=0 live=0
while read -r what which; do
  case $what in
    +)
      eval "group_$which=there"
      groups="$groups $which" listed=$((listed + 1)) live=$((live + 1))
      [ "$listed" -gt $((live * 2 + 64)) ] || continue
      all=$groups groups='' listed=0
      for group in $all; do
        eval "is=\${group_$group-}"
        # A number that came back is listed twice.
        [ "$is" = there ] && eval "group_$group=swept" && groups="$groups $group" listed=$((listed + 1))
      done
      for group in $groups; do eval "group_$group=there"; done
      live=$listed
      ;;
    -) unset "group_$which"; live=$((live - 1)) ;;
  esac
done
# Without a fork: there may be none left to have.
for group in $groups; do
  eval "is=\${group_$group-}"
  [ -z "$is" ] || kill -s KILL -- "-$group" 2>/dev/null
done
# Who has left its group is known by its environment, where the system shows that. One that forks all the time may be between
# two looks: three in a row must see nobody.
[ -n "$1" ] && [ -r /proc/self/environ ] || exit 0
nobody=0
for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
  nobody=$((nobody + 1))
  for file in $(grep -ls -e "$1" /proc/[0-9]*/environ); do
    nobody=0 process=${file#/proc/} process=${process%/environ}
    grep -qs -e "$1" "$file" && kill -s KILL "$process" 2>/dev/null
  done
  [ "$nobody" -lt 3 ] || exit 0
done
