# Keeps one server: does what it is told line by line on its standard input, and when that ends, for whatever reason, stops
# the server and removes everything. So a test that is killed leaves nothing behind.
#
# $1: PostgreSQL's programs. $2: the server's directory. $3, if given: the size of a small disk for one tablespace.
bin=$1 home=$2 disk=$3 server=
log=$home/log

# Nobody may be left to hear an answer.
trap : PIPE

if [ -n "$disk" ]; then
    # Seen by this process and its children only: it is in a mount namespace of its own, and the mount ends with them.
    mount -t tmpfs -o "size=$disk,mode=0700" none "$home/small" || exit 1
fi

while read -r order; do
    case $order in
    make)
        "$bin/initdb" --pgdata="$home/data" --username=postgres --pwfile="$home/password" --auth=scram-sha-256 \
            --encoding=UTF8 --no-locale --no-sync >>"$log" 2>&1
        echo $?
        ;;
    start)
        "$bin/postgres" -D "$home/data" >>"$log" 2>&1 </dev/null &
        server=$!
        echo $server
        ;;
    wait)
        wait "$server"
        echo $?
        server=
        ;;
    fill)
        cat /dev/zero >"$home/small/ballast" 2>/dev/null
        echo $?
        ;;
    free)
        rm -f "$home/small/ballast"
        echo $?
        ;;
    esac
done

if [ -n "$server" ]; then
    kill -CONT "$server" 2>/dev/null
    kill -QUIT "$server" 2>/dev/null
    wait "$server" 2>/dev/null
fi
# Only a server that was killed outright leaves its lock file, and the segment of System V memory that is named in it.
if [ -f "$home/data/postmaster.pid" ]; then
    segment=$(sed -n '7s/.* //p' "$home/data/postmaster.pid")
    [ -n "$segment" ] && ipcrm -m "$segment" 2>/dev/null
fi
[ -n "$disk" ] && umount "$home/small" 2>/dev/null
rm -rf "$home"
