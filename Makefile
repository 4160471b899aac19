# Thin: the build itself is meson's. `make help` lists the targets.
SHELL := /bin/sh
BUILD := build/release
KEN := $(BUILD)/ken
# Length of the demo in seconds of real-time video; 300 is the original system's full load.
SECONDS := 60
FUZZ_SECONDS := 60

.PHONY: all help packages build models demo test test-image test-engines test-crash test-power test-dynamodb-oracle bench \
        bench-engine bench-cloud bench-architectures bench-device bench-load fuzz clean format soak

all: build models

help:
	@echo 'make               install what is missing, build, import the networks'
	@echo 'make demo          the whole system on real video, about a minute; SECONDS=300: the full load'
	@echo 'make test          every test; closes with "N passed, N failed"'
	@echo 'make test-image    build deploy/Dockerfile with podman and run it, read-only and not as root'
	@echo 'make test-engines  function, device and deploy against Ceph (objects) and DynamoDB Local (records)'
	@echo 'make test-crash [ROUNDS=500]  kill -9 in mid-write, and nothing acknowledged is lost'
	@echo 'make test-power [CUTS=300]     power cuts: what was not synced is dropped, nothing acknowledged is lost'
	@echo 'make test-dynamodb-oracle [ROUNDS=3000 SEED=7]  answers beside DynamoDB Local (needs java)'
	@echo 'make bench         the figures of the README, bench-engine among them'
	@echo 'make bench-engine  the engine beside others (oneDNN, XNNPACK, ONNX Runtime, OpenCV)'
	@echo 'make bench-architectures  the five ways to an answer, on three networks, about 6 minutes'
	@echo 'make bench-load    100 devices for LOAD_SECONDS (300) a way, and past the limit'
	@echo 'make bench-cloud [TOP=1000000]  the cloud beside others, and what a page and an item cost up to TOP rows'
	@echo 'make soak [MINUTES=120]  a device for hours at ten times its frames, its memory watched'
	@echo 'make bench-device  what a device costs while nobody is there: processor time and memory, 9 minutes'
	@echo 'make fuzz          each fuzz target for FUZZ_SECONDS (default 60)'
	@echo 'make format        clang-format every C file'
	@echo 'make clean         remove build/ and node_modules/'

packages:
	@tools/install-packages build

$(BUILD)/build.ninja: | packages
	@meson setup $(BUILD) --buildtype release -Dtests=false >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }

build: packages
	@mkdir -p build
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

# `npm ci` only when the lock file is newer than what it installed.
node_modules/.ken-run: package-lock.json | packages
	@npm ci --omit=dev --silent
	@touch $@

build/models/.done: models/manifest.json node_modules/.ken-run $(wildcard src/nn/*.[ch] src/nn/import/*.[ch] src/simd/pack.c src/simd/product.c src/simd/winograd.c) | build
	@$(KEN) model import --manifest models/manifest.json -o build/models
	@touch $@

models: build build/models/.done

demo: build models
	@SECONDS_TOTAL=$(SECONDS) KEN=$(KEN) demo/run

test:
	@tools/install-packages test
	@tools/run-tests

# Each kill is a moment of its own: what is short in `make test` runs 500 times here, about half an hour.
test-crash: build
	@for test in dynamodb_crash crash messages_crash s3_crash; do \
	    KEN_CRASH_ROUNDS=$(or $(ROUNDS),500) python3 tests/clients/$${test}_test.py $(KEN) || exit 1; done
	@ninja -C $(BUILD) --quiet src/cloud/lambda/test_function
	@KEN_CRASH_ROUNDS=$(or $(ROUNDS),500) python3 tests/clients/lambda_crash_test.py $(KEN) $(BUILD)/src/cloud/lambda/test_function

# What a disk may lose when the power goes; twenty times what `make test` looks at.
test-power: build
	@tools/install-packages test
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) --quiet
	@KEN_POWER_CUTS=$(or $(CUTS),300) python3 tests/clients/power_test.py $(KEN) \
	    $(CURDIR)/$(BUILD)/tests/clients/power_shim.so $(BUILD)/src/cloud/lambda/test_function

# DynamoDB Local is 60 MB of Java from npm: nobody needs it but these two.
DYNAMODB_LOCAL := tests/engines/node_modules/amplify-dynamodb-simulator/emulator/DynamoDBLocal.jar
$(DYNAMODB_LOCAL): tests/engines/package-lock.json | packages
	@npm ci --silent --prefix tests/engines
	@touch $@

# It listens on every address, and has no option for it.
LOOPBACK := $(BUILD)/engines/loopback.so
$(LOOPBACK): tests/engines/loopback.c | packages
	@mkdir -p $(@D)
	@cc -O2 -Wall -Wextra -shared -fPIC -o $@ $<

test-dynamodb-oracle: build $(DYNAMODB_LOCAL) $(LOOPBACK)
	@KEN_DYNAMODB_LOCAL=$(CURDIR)/$(DYNAMODB_LOCAL) LD_PRELOAD=$(CURDIR)/$(LOOPBACK) \
	 KEN_ORACLE_ROUNDS=$(or $(ROUNDS),3000) python3 tests/clients/dynamodb_oracle_test.py $(BUILD)/ken $(SEED)

# Starts the engines on loopback and stops them; TESTS="system_test.DeviceTest" runs some of it.
test-engines: models $(DYNAMODB_LOCAL) $(LOOPBACK)
	@tools/install-packages engines
	@python3 tests/engines/run.py $(BUILD) $(DYNAMODB_LOCAL) $(LOOPBACK) $(TESTS)

# deploy/Dockerfile by podman: minutes, root, and what tools/test-image names.
test-image: models
	@tools/test-image $(BUILD)

bench: bench-engine
	@bench/run

bench-engine: models
	@tools/install-packages bench
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) --quiet
	@[ -d node_modules/onnxruntime-node ] || npm ci --silent
	@node bench/engine.mjs $(BUILD)
	@node bench/engine_chart.mjs

# The network between device and cloud needs root and /dev/net/tun; without them only "none" is measured.
bench-architectures bench-load: models
	@tools/install-packages test
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) --quiet
	@if [ $@ = bench-load ]; then bench/load.py --build $(BUILD) --seconds $(or $(LOAD_SECONDS),300); \
	 else bench/architectures.py --build $(BUILD); fi

bench-cloud: build
	@tools/install-packages bench
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) --quiet
	@npm ci --silent --prefix bench/cloud
	@python3 bench/cloud.py $(KEN) 5 $(or $(TOP),100000)

bench-device: models
	@tools/install-packages test
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) --quiet
	@python3 bench/device.py $(BUILD) $(or $(DEVICE_SECONDS),60)

# Two hours of ten times the frames; the cloud is gone for five seconds of each minute.
soak: models
	@tools/install-packages test
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) --quiet
	@python3 bench/soak.py $(BUILD) $(or $(MINUTES),120)

fuzz:
	@tools/install-packages test
	@tools/run-fuzz $(FUZZ_SECONDS)

format:
	@tools/check-format --fix .

clean:
	rm -rf build node_modules tests/engines/node_modules
