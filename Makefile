# ringmq. `make run` starts a standalone broker, `make test` tests it; `make help` lists the rest.
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -checklinkname=0 -X main.version=$(VERSION)
RELEASE  = CGO_ENABLED=0 go build -trimpath -tags uring -ldflags='$(LDFLAGS)'
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# What the second build is another program for: packages with files of its tag, and packages whose tests reach the disk.
TAGGED  = $(sort $(dir $(shell grep -rl --include='*.go' '^//go:build.*uring' .)))
ON_DISK = go list -tags uring -f '{{.ImportPath}} {{join .Deps " "}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | \
  grep -E 'ringmq/(store|store/disk|broker)( |$$)' | cut -d' ' -f1

.PHONY: help build run test check package package-test boot-test fuzz crash powerloss backup drain replication replication-bars interop lag-check upgrade image-test versus ceiling scale soak metrics-check tune-check clean
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

build: ## bin/ringmq: one static binary with the io_uring engine
	$(RELEASE) -o bin/ringmq ./cmd/ringmq

run: build ## build and start name server and broker in one process, data under ./ringmq-data
	./bin/ringmq standalone

test: ## unit tests: plain build with the race detector, then the io_uring build of what reaches the disk
	go build ./...
	go test -timeout 15m -race ./...
	go test -timeout 15m -tags uring -ldflags=-checklinkname=0 $$($(ON_DISK))

check: ## everything a commit must pass: formatting, vet, staticcheck, tests
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go vet -tags uring ./...
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags uring $(TAGGED)
	$(MAKE) test

FUZZTIME ?= 20s
fuzz: ## every fuzz target for FUZZTIME each
	@for f in $$(grep -rl '^func Fuzz' --include='*_test.go' .); do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
	    echo "$$(dirname $$f) $$t"; go test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; done; done

crash: ROUNDS ?= 200
crash: build ## a real process killed at random moments, ROUNDS times; nothing acknowledged may be lost
	go run ./interop/crash -bin bin/ringmq -rounds $(ROUNDS)

POWER_ROUNDS ?= 30
powerloss: build ## power cuts on loop-mounted ext4 and xfs (needs root), POWER_ROUNDS per engine and file system
	interop/powerloss/run.sh $(POWER_ROUNDS)

backup: build ## a broker under load is backed up twice, put back, and asked for all that it had acknowledged
	interop/backup.sh

drain: build ## two brokers, a stock producer and a stock consumer: one broker is drained, stopped and started again, and nobody notices (Java 17, Maven)
	interop/drain.sh

replication: FAULTS ?= 500
replication: PARTS ?= ours pages mixed migration clients mixed-clients admin
replication: build ## a pair of brokers, ours and stock's, FAULTS times broken; nothing acknowledged may be lost (disks need root)
	interop/replication/run.sh $(FAULTS) $(PARTS)

replication-bars: ROUNDS ?= 3
replication-bars: SECONDS ?= 10
replication-bars: GIB ?= 8
replication-bars: build ## what a pair must reach beside a stock pair and our single broker, into docs/replication-bars.md: ROUNDS of SECONDS each, a slave gets GIB; half an hour
	interop/replication/bars.sh $(ROUNDS) $(SECONDS) $(GIB)

interop: build ## the stock Java client, client-go and mqadmin against bin/ringmq (Java 17, Maven)
	interop/run.sh

lag-check: build ## whether "ringmq admin lag" names why stock consumers lag, with a producer's surge, which "interop" skips; twelve minutes (Java 17, Maven)
	LAG_SURGE=1 interop/run.sh lag

upgrade: build ## an older program of this project, built from its history, and bin/ringmq take turns on one store; nothing may be lost
	interop/upgrade.sh

versus: ROUNDS ?= 5
versus: SECONDS ?= 10
versus: LONG_ROUNDS ?= 3
versus: OUT ?= benchmarks
versus: build ## figures beside the stock broker into DOC (docs/benchmarks.md): ROUNDS of SECONDS each, LONG_ROUNDS of what writes tens of GiB, stock with FLUSH="ASYNC SYNC", only ROWS="4x64 java64", JSON and HTML into OUT; about an hour and a half, 45 GiB of disk
	LONG_ROUNDS=$(LONG_ROUNDS) interop/versus.sh $(ROUNDS) $(SECONDS) $(OUT) $(ROWS)

ceiling: build ## fails when a message costs much more than in bench/ceiling, the least that this architecture can do
	interop/ceiling.sh

scale: ROUNDS ?= 3
scale: build ## 8, 1,000 and 100,000 queues, and starts with 16 GiB of log, ROUNDS times, into docs/scale.md; half an hour, 35 GiB of disk
	ROUNDS=$(ROUNDS) interop/scale.sh

DURATION ?= 10m
soak: SHARE ?= 0.8
soak: build ## SHARE of the peak for DURATION against a broker of its own, with readers; fails when memory or goroutines grow or readers fall behind
	interop/soak.sh $(DURATION) $(SHARE)

package: build ## dist/ringmq_VERSION_ARCH.deb: program, units, configuration, manual pages, completions
	deploy/package.sh dist

package-test: build ## installs the package on a thrown-away copy of this system, tries it, goes there from an older one and back (needs root)
	deploy/test.sh

boot-test: build ## boots a thrown-away copy of this system with systemd, and does to the package's units what operators do (needs root)
	deploy/boot_test.sh

image-test: build ## builds the image of deploy/Dockerfile with podman and runs it, without a registry (needs root)
	deploy/image_test.sh

tune-check: build ## "ringmq tune" on this host for real: applied, measured, undone, every value compared; needs root, less than a minute
	interop/tune.sh

metrics-check: build ## every alert and dashboard query of deploy/ on a real Prometheus that scrapes a pair of brokers under load (Debian's package), and what is pushed by OTLP beside a stock broker's
	interop/metrics.sh

clean: ## remove what was built
	rm -rf bin dist
