# The usual tasks.  Each installs what it lacks (tools/setup.sh), sets up its build directory and
# builds; everything else is Meson's: see meson.build.
#
#     make CC=clang ...       another compiler
#     make SETUP=--werror ... more options for meson setup
#     make TESTS='--suite unit' test    only some tests; options of meson test
#     make COUNT=100 SEED=7 test-otp    so many random files of each kind, of that seed
#     make BENCH='--rounds 3 --cases ring,tasks' bench-peers    options of tools/run_benchmarks.py:
#                                       --table leaves out what the table of ratios does not need,
#                                       --quick runs a tenth of the work, to see that all of it runs
#     make SEEDS=1000000 sim    so many seeds, from SEED on, each tells each story once
#     make ROUNDS=100 crash-matrix      each kind of crash so often
#     make CRASHES=100000 soak-crashes  so many crashes in a row
#     make SECONDS=600 soak     so long
#     make SECONDS=600 FUZZ='--only calls' fuzz   so long for each harness; options of tools/fuzz.py
#     make COVERAGE=--all coverage      the table by file; options of tools/coverage.py

SETUP =
TESTS =
BENCH =
COUNT = 2000
SEED = 1
SEEDS = 10000
ROUNDS = 1000
CRASHES = 1000000
SECONDS = 60
FUZZ =
FUZZ_CC = clang
COVERAGE =

export CC
ifeq ($(origin CC),default)
unexport CC
endif

# The sanitizers want parts of the address space that a kernel may have given to something else
# (vm.mmap_rnd_bits of 32); without randomisation, where that is allowed, they get them.
STEADY = $(shell setarch -R true 2>/dev/null && echo setarch -R)

.PHONY: all run test test-asan test-tsan test-hostile test-aarch64 test-otp models sim mutations \
	fuzz fuzz-corpus coverage bench bench-peers bench-growth performance count-instructions \
	renew-instructions crash-matrix soak-crashes soak tidy clean help

all: ## build everything, optimised, into build/; the programs are in build/bin
	@tools/setup.sh build $(SETUP)
	@ninja -C build

run: ## a day of the financial application: 10,000 requests while faults strike
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/financial
	build/bin/financial --input examples/financial/day.csv

test: all ## all tests
	@tools/run_tests.py build $(TESTS)

test-asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/setup.sh build-asan -Db_sanitize=address,undefined -Db_lundef=false $(SETUP)
	@ninja -C build-asan
	@$(STEADY) tools/run_tests.py build-asan $(TESTS)

test-tsan: ## all tests under ThreadSanitizer
	@tools/setup.sh build-tsan -Db_sanitize=thread -Db_lundef=false $(SETUP)
	@ninja -C build-tsan
	@$(STEADY) tools/run_tests.py build-tsan --without tests/tsan.txt $(TESTS)

test-hostile: ## all tests with the smallest limits, a turn for others at each send, memory poisoned
	@tools/setup.sh build-hostile -Dhostile=true $(SETUP)
	@ninja -C build-hostile
	@tools/run_tests.py build-hostile --without tests/hostile.txt $(TESTS)

test-aarch64: ## all tests on AArch64, cross-compiled and run under qemu-user
	@AARCH64=yes tools/setup.sh build-aarch64 --cross-file tools/aarch64.ini $(SETUP)
	@ninja -C build-aarch64
	@tools/run_tests.py build-aarch64 --without tests/qemu_user.txt $(TESTS)

test-otp: ## random scenarios and signal histories, on Erlang/OTP and here: they must agree
	@OTP=yes tools/setup.sh build $(SETUP)
	@ninja -C build bin/scenario bin/signals
	@tools/random_scenarios.py --count $(COUNT) --seed $(SEED)

sim: ## random trees in simulation: SEEDS of them, from SEED on; what fails is made short
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/sim
	@build/bin/sim --seeds '$(SEEDS)' --first '$(SEED)'

mutations: ## each of tests/mutations/*.patch must be found by the simulation
	@MUTATIONS=yes tools/setup.sh build $(SETUP)
	@tools/run_mutations.py build-mutations

fuzz: build-fuzz ## libFuzzer with each harness of tests/fuzz, SECONDS (60) for each
	@tools/fuzz.py build-fuzz --seconds '$(SECONDS)' $(FUZZ)

fuzz-corpus: build-fuzz ## keep what `make fuzz` has reached in tests/fuzz/corpus
	@tools/fuzz.py build-fuzz --keep $(FUZZ)

.PHONY: build-fuzz
build-fuzz:
	@CC='$(FUZZ_CC)' tools/setup.sh build-fuzz -Dfuzz=true -Dsymbols=disabled -Ddebug_checks=true \
		-Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-fuzz fuzzers

coverage: ## what of src/ the tests run through, and the reasons for the rest
	@COVERAGE=yes tools/setup.sh build-coverage -Db_coverage=true -Dbuildtype=debug \
		-Doptimization=1 -Dc_args=-fprofile-update=atomic $(SETUP)
	@ninja -C build-coverage
	@find build-coverage -name '*.gcda' -delete
	@tools/run_tests.py build-coverage --no-suite house --no-suite bench $(TESTS)
	@tools/coverage.py build-coverage $(COVERAGE)

models: ## the lock-free protocols, checked within bounds by spin; their mutants must fail
	@MODELS=yes tools/setup.sh
	@tools/run_models.py

bench: ## all benchmarks on one and on two scheduler threads, a table (5 to 10 minutes)
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/bench
	@tools/run_benchmarks.py build $(BENCH)
	@tools/benchmark_table.py build/bench.tsv

bench-peers: ## the same beside Erlang, Elixir, Go and CAF, with ratios (about 20 minutes a round)
	@PEERS=yes tools/setup.sh build $(SETUP)
	@ninja -C build bin/bench
	@tools/run_benchmarks.py build --peers erlang,elixir,go,caf $(BENCH)
	@tools/benchmark_table.py build/bench.tsv --ratios

bench-growth: ## what each of 1,000, of 100,000 and of 1,000,000 costs: children, names, timers, ...
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/bench
	@build/bin/bench growth

performance: ## write the table of the last bench-peers into docs/performance.md
	@tools/benchmark_table.py build/bench.tsv --document docs/performance.md

count-instructions: ## instructions of the commonest operations, counted by valgrind
	@tools/setup.sh build $(SETUP)
	@ninja -C build count-instructions

renew-instructions: ## the same, and keep them as what `make test` compares with
	@tools/setup.sh build $(SETUP)
	@ninja -C build renew-instructions

crash-matrix: ## every kind of crash beside 1,000 busy siblings: what came of it, what it left
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/crash_matrix
	@build/bin/crash_matrix --rounds $(ROUNDS)

soak-crashes: ## a million mixed crashes in a row, and what they left
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/crash_matrix
	@build/bin/crash_matrix --soak $(CRASHES) --seed $(SEED)

soak: ## a mixed load for SECONDS: how long calls took, what crashed, whether anything is left
	@tools/setup.sh build $(SETUP)
	@ninja -C build bin/soak
	@build/bin/soak --seconds '$(SECONDS)'

tidy: all ## the checks of the house rules alone
	@tools/run_tests.py build --suite house

clean: ## remove the build directories
	rm -rf build build-asan build-tsan build-hostile build-aarch64 build-mutations build-fuzz \
		build-coverage

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /    make \1\t/p' Makefile | expand -t 24
