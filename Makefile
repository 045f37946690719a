# Builds, tests and installs restic-backup-helper. `make help` lists the targets.
#
# Needs node, npm and GNU make; every target fetches the rest when it first needs it: Bun, TypeScript and Biome
# from npm at the versions of package-lock.json, restic and what the tests drive from Debian (test/tools/setup).

NAME     := restic-backup-helper
BINARY   := dist/$(NAME)
TARGETS  := linux-x64 linux-x64-musl linux-arm64 linux-arm64-musl
RELEASES := $(TARGETS:%=$(BINARY)-%)
SOURCES  := main.ts $(shell find lib -name '*.ts' -o -name '*.md') test/tools/embed.ts package.json package-lock.json

# Where `make install` puts the binary and its links; DESTDIR stages them under another root.
DESTDIR :=
BINDIR  := /bin

# The stand-in for the Alpine image lies beside the project on some machines only; its tests need a musl build.
MUSL := $(if $(wildcard ../shared/alpine),$(BINARY)-linux-x64-musl)

PACKAGES := node_modules/.ready
BIN      := node_modules/.bin

# --splitting keeps what a command does not need out of its start: 1 ms of 6 for `--version` (measured).
# Without --format=esm the bytecode breaks consola's import.meta. The binary must read nothing of the folder it is
# started in: no .env, no bunfig.toml. test/tools/embed.ts makes the copy of Bun to embed, and checks its checksum: by
# itself Bun takes what lies in its cache or in the current folder. Left lazy (=): only a build asks for the versions.
VERSION = $(shell sed -n 's/^ *"version": "\(.*\)",*$$/\1/p' package.json)
RESTIC  = $(shell sed -n 's/^ *"resticVersion": "\(.*\)",*$$/\1/p' package.json)
BUILD   = $(BIN)/bun build main.ts --compile --minify --bytecode --format=esm --splitting \
	--no-compile-autoload-dotenv --no-compile-autoload-bunfig --compile-jit-policy=1000 \
	--compile-executable-path=$@.bun --outfile=$@ \
	--define BUILD_VERSION='"$(VERSION)"' --define BUILD_RELEASE='"$(VERSION)-$(RESTIC)"'

.PHONY: all dist install uninstall demo test test-faults check format rootfs bench clean help
.DELETE_ON_ERROR:

all: $(BINARY) ## build the binary for this machine (the default)

$(BINARY): $(SOURCES) $(PACKAGES)
	@mkdir -p dist
	@$(BIN)/bun test/tools/embed.ts $@.bun
	$(BUILD)
	@rm $@.bun

$(BINARY)-%: $(SOURCES) $(PACKAGES)
	@mkdir -p dist
	@$(BIN)/bun test/tools/embed.ts $@.bun $*
	$(BUILD) --target=bun-$*
	@rm $@.bun

dist: dist/SHA256SUMS ## build for linux x64 and arm64, glibc and musl, with checksums

dist/SHA256SUMS: $(RELEASES)
	cd dist && sha256sum $(notdir $^) >$(notdir $@)

install: $(BINARY) ## install the binary and its links in $(DESTDIR)$(BINDIR)
	install -D -m 755 $(BINARY) '$(DESTDIR)$(BINDIR)/$(NAME)'
	'$(DESTDIR)$(BINDIR)/$(NAME)' --install -s '$(DESTDIR)$(BINDIR)'

uninstall: ## remove what install has put in $(DESTDIR)$(BINDIR): the binary and the links to it, nothing else
	@test/tools/uninstall '$(DESTDIR)$(BINDIR)' $(NAME)

demo: $(BINARY) ## run one real backup with hooks in a temporary folder (KEEP=1 keeps it)
	@test/tools/setup restic
	@test/tools/demo

test: $(BINARY) $(MUSL) ## run the tests (TESTS=test/run runs only those below that path)
	@test/tools/setup
	@test/tools/restics
	@RBH_TEST_BINARY='$(CURDIR)/$(BINARY)' test/tools/run-tests $(TESTS)

test-faults: $(BINARY) $(MUSL) ## make every fault of test/faults and print what was seen (FAULTS=FILE… only those)
	@test/tools/setup
	@test/tools/restics
	@RBH_TEST_BINARY='$(CURDIR)/$(BINARY)' test/tools/run-faults $(FAULTS)

check: $(PACKAGES) ## check types, lint and format
	$(BIN)/tsc
	$(BIN)/biome check --error-on-warnings
	$(BIN)/deno check --quiet main.ts

format: $(PACKAGES) ## put the sources into their format, mend what lint can mend, write the README's tables
	$(BIN)/biome check --write
	$(BIN)/bun test/tools/readme.ts

rootfs: $(BINARY) ## lay out dist/rootfs as the image is laid out, from Debian's programs (root only)
	@test/tools/setup
	test/tools/rootfs $(BINARY) dist/rootfs

bench: $(BINARY) ## measure everything against a floor, in five minutes (BENCHES=NAME… only those; OLD=FILE beside an older build)
	@test/tools/setup
	@RBH_OLD_BINARY='$(OLD)' $(BIN)/bun test/bench/main.ts $(BENCHES)

clean: ## remove what was built
	rm -rf dist

# npm may be set to run no install scripts. Bun's own only puts this platform's program in its place, so we run it.
$(PACKAGES): package-lock.json
	@command -v npm >/dev/null || { echo 'make: npm is not installed. Install Node.js with npm (as root on Debian: apt-get install npm), and run make again.' >&2; exit 1; }
	npm ci --ignore-scripts --no-audit --no-fund
	cd node_modules/bun && node install.js
	touch $@

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
