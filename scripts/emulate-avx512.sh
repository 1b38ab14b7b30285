#!/usr/bin/env bash
# Runs a test binary on an emulated Ice Lake (Bochs), so that the AVX-512 variants execute on machines that lack it.
# Usage: emulate-avx512.sh TEST-BINARY [GTEST-FILTER]. Prints what the guest prints and ends with the test's exit code
# (125: the emulation itself failed). Booting takes a minute, and then some 30 million instructions are done a second.
# KERNEL=vmlinuz takes that kernel instead of downloading Debian's; LIMIT=seconds bounds the run.
#
# Bochs 2.7 has faults of its own. It computes fused multiply-adds wrongly where nearly all cancels: the AVX2 transforms
# need them, so they and what calls them fail here, NttTargets of AVX2 and SparseTransforms of AVX-512 among them; any
# machine with AVX2 tests those. OpenSSL is told to use neither ADX nor AVX-512, with which its X25519 does not add up here.
set -euo pipefail
fail() {
  echo "$0: $*" >&2
  exit 125
}
[[ $# -ge 1 && $# -le 2 ]] || fail "usage: $0 TEST-BINARY [GTEST-FILTER]"
binary=$(realpath "$1") filter=${2:-*}
kernel=${KERNEL:+$(realpath "$KERNEL")}
[ -x "$binary" ] || fail "$1 is no program"

missing=()
need() { [ -e "$1" ] || command -v "$1" >/dev/null || missing+=("$2"); }
need bochs bochs
need /usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so bochs-term
need /usr/share/bochs/BIOS-bochs-latest bochsbios
need /usr/share/bochs/VGABIOS-lgpl-latest vgabios
need /usr/lib/ISOLINUX/isolinux.bin isolinux
need /usr/lib/syslinux/modules/bios/ldlinux.c32 syslinux-common
need xorriso xorriso
need busybox busybox-static
! ldd "$(command -v busybox)" >/dev/null 2>&1 || missing+=(busybox-static)
need cpio cpio
[ ${#missing[@]} -eq 0 ] || fail "needs the Debian packages ${missing[*]}"

work=$(mktemp -d)
emulator=
# Bochs ignores gentler signals.
trap '[ -z "$emulator" ] || pkill -9 -P "$emulator" || true; rm -rf "$work"' EXIT
cd "$work"
mkdir -p root/{bin,proc,dev,tmp} iso
if [ -z "$kernel" ]; then
  package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
  apt-get -q download "$package" >&2 || fail "cannot download $package"
  dpkg-deb -x linux-image-*.deb kernel
  kernel=$(echo kernel/boot/vmlinuz-*)
fi

cp "$(command -v busybox)" root/bin/busybox
for file in "$binary" $(ldd "$binary" | grep -o '/[^ ]*'); do
  install -D "$file" "root$file"
done
cat >root/init <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
ip link set lo up
stty -onlcr
echo "guest:" \$(grep -m1 ^flags /proc/cpuinfo | grep -owE 'avx2|avx512[a-z0-9_]*|vaes')
export OPENSSL_ia32cap=:~0x5f42d02b0000
cd /tmp
"\$(cat /test)" --gtest_filter="\$(cat /filter)" --gtest_color=no 2>&1
echo "guest: exit code \$?"
sleep 1
poweroff -f
INIT
chmod +x root/init
printf '%s' "$binary" >root/test
printf '%s' "$filter" >root/filter
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >iso/initrd
cp "$kernel" iso/kernel
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 iso
# This processor's CPUID misstates the sizes of PKRU and of the compacted XSAVE area, whereupon Linux gives up AVX; and
# fast strings are off, but not the feature FSRM, on which Linux 6.1's memmove then runs astray.
options='noxsaves nopku clearcpuid=fsrm,pku,ospke,xsavec,xsaves'
cat >iso/isolinux.cfg <<CFG
default test
label test
  kernel kernel
  append initrd=initrd console=ttyS0,115200 quiet panic=-1 mitigations=off nokaslr nosmp tsc=reliable $options
CFG
xorriso -as mkisofs -quiet -o test.iso -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
  iso 2>xorriso.txt || fail "$(cat xorriso.txt)"

# The kernel takes the counter of instructions for a clock of 1.5 GHz, as CPUID tells it, so its timeouts mean what they
# mean on a real machine; `ips` is the clock of the other devices, and a slow one shortens the waits for them.
echo continue >commands # Debian's build starts in its debugger
touch serial.txt
cat >bochsrc <<CFG
config_interface: textconfig
display_library: term
cpu: model=corei7_icelake_u, count=1, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=local
memory: guest=1024, host=1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=test.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
speaker: enabled=0
log: bochs.log
panic: action=fatal
CFG
# Its display is a terminal that it opens itself; unread, that would fill up and stop it.
TERM=xterm timeout -s KILL "${LIMIT:-3600}" bochs -q -f bochsrc -rc commands </dev/null >screen.txt 2>&1 &
emulator=$!
until terminal=$(grep -aom1 '/dev/pts/[0-9]*' screen.txt); do
  kill -0 "$emulator" 2>/dev/null || fail "Bochs does not start: $(tail -5 screen.txt)"
  sleep 0.1
done
cat "$terminal" >/dev/null &
tail -q -f -n +1 --pid="$emulator" serial.txt
emulator=
code=$(sed -n 's/^guest: exit code \([0-9]*\).*/\1/p' serial.txt | tail -1)
[ -n "$code" ] || {
  tail -20 bochs.log >&2
  fail "the guest did not finish"
}
exit "$code"
