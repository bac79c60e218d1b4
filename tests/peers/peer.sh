#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Other mail systems, in private roots: Debian's packages of them remove each
# other and start what they install, so none is ever installed on the host.
#
# peer.sh make NAME PACKAGE...
#	Install packages on top of the host's system and keep what they added
#	in build/peers/NAME.tar.  Done once, until the host's packages change.
# peer.sh run NAME [-b DIR]... COMMAND...
#	Run a command in a throw-away root made of the host's system and
#	NAME.tar, with the host's network.  Each DIR is the host's own directory
#	under the same name, which every user there can reach, wherever the clone
#	lies.  The command takes this process's place (and pid); its mounts vanish
#	with it.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
keep=$here/build/peers
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH here keep

[ "$(id -u)" -eq 0 ] || { echo "$0: needs root" >&2; exit 77; }
[ $# -ge 3 ] || { echo "usage: $0 make|run NAME ..." >&2; exit 64; }
action=$1 name=$2
shift 2
export name
mkdir -p "$keep"

# In a mount namespace: $keep/mnt is a tmpfs with the upper layer of an overlay
# over /, which works where / is an overlay itself.
mount_root='
	set -eu
	mount -t tmpfs -o mode=755 peer "$keep/mnt"
	cd "$keep/mnt"
	mkdir up wd root
	if [ -e "$keep/$name.tar" ] && [ "${fresh:-no}" = no ]; then
		tar -x --xattrs --xattrs-include="*" -f "$keep/$name.tar" -C up
	fi
	mount -t overlay -o lowerdir=/,upperdir=up,workdir=wd peer root
	for d in proc dev sys; do mount --rbind /$d root/$d; done
	mount -t tmpfs -o mode=755 run root/run
	mount -t tmpfs -o mode=1777 tmp root/tmp
'

# A root is made of the host's packages: new ones need a new root.
stamp() {
	{ echo "$@"; cat /var/lib/dpkg/status; } | sha256sum | cut -c1-64
}

make_root() {
	now=$(stamp "$@")
	# Of all who want it at the same time one makes it.
	exec 9>"$keep/$name.lock"
	flock 9
	[ "$(cat "$keep/$name.stamp" 2>/dev/null)" = "$now" ] &&
		[ -e "$keep/$name.tar" ] && return 0
	mkdir -p "$keep/mnt"
	fresh=yes unshare -m --propagation private sh -c "$mount_root"'
		printf "#!/bin/sh\nexit 101\n" >root/usr/sbin/policy-rc.d
		chmod 755 root/usr/sbin/policy-rc.d
		rm -f root/etc/resolv.conf
		cp /etc/resolv.conf root/etc/resolv.conf
		export DEBIAN_FRONTEND=noninteractive
		export LC_ALL=C
		install="apt-get -o Acquire::Retries=3 install -y"
		install="$install --no-install-recommends"
		chroot root $install "$@" >log 2>&1 ||
		    { chroot root apt-get update >log 2>&1 &&
		      chroot root $install "$@" >log 2>&1; } ||
		    { cat log >&2; exit 1; }
		tar -c --xattrs --xattrs-include="*" -f "$keep/$name.tar.new" \
			--exclude=./var/lib/apt --exclude=./var/cache -C up .
		mv "$keep/$name.tar.new" "$keep/$name.tar"
	' sh "$@" 9>&-
	echo "$now" >"$keep/$name.stamp"
}

case $action in
make)
	make_root "$@"
	;;
run)
	[ -e "$keep/$name.tar" ] || {
		echo "$0: no root \"$name\": make it first" >&2
		exit 66
	}
	binds=
	while [ "$1" = -b ]; do
		binds="$binds $2"
		shift 2
	done
	export binds
	exec unshare -m --propagation private sh -c "$mount_root"'
		for d in $binds; do
			mkdir -p "root/$d"
			p=$d
			while p=$(dirname "$p"); [ "$p" != / ]; do
				chmod a+x "root$p"
			done
			mount --bind "$d" "root/$d"
		done
		unset keep here name binds d p
		cd root
		exec chroot . "$@"
	' sh "$@"
	;;
*)
	echo "$0: unknown action: $action" >&2
	exit 64
	;;
esac
