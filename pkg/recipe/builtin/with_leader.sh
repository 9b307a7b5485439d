# with_leader.sh FILE OPTION SUFFIX COMMAND...: runs the command with an option that names the host of the server's first
# process, which that process has put into the file.
file=$1 option=$2 suffix=$3
shift 3
until [ -s "$file" ]; do sleep 0.2; done
exec "$@" "$option" "$(cat "$file")$suffix"
