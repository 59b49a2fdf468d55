%% The Erlang peer: every workload of ../README.md on plain OTP.
-module(peer_bench).
-export([main/0]).
-import(peer_h, [run/3, now_ns/0, rate/2, percentile/2, scale/1]).

main() -> peer_h:start("erlang", cases(), init:get_plain_arguments()).

cases() ->
    [{"spawn_exit", fun spawn_exit/0},
     {"idle_plain", fun() -> idle("idle_memory.plain", fun idle_plain/1) end},
     {"idle_gen_server", fun() -> idle("idle_memory.gen_server", fun idle_srv/1) end},
     {"idle_hibernated", fun() -> idle("idle_memory.hibernated", fun idle_hib/1) end},
     {"idle_supervised", fun() -> idle("idle_memory.supervised", fun idle_sup/1) end},
     {"pingpong", fun pingpong/0},
     {"pingpong_cross", fun pingpong_cross/0},
     {"gen_call", fun gen_call/0},
     {"fan_in", fun fan_in/0},
     {"ring", fun ring/0},
     {"threadring", fun threadring/0},
     {"crash_sib0", fun() -> crash("crash_restart.sib0", 0, forget) end},
     {"crash_sib1000", fun() -> crash("crash_restart.sib1000", 1000, forget) end},
     {"crash_dyn100k", fun() -> crash("crash_restart.dyn100k", dyn, forget) end},
     {"crash_hist_sib0", fun() -> crash("crash_restart_hist.sib0", 0, keep) end},
     {"crash_hist_sib1000", fun() -> crash("crash_restart_hist.sib1000", 1000, keep) end},
     {"one_for_all", fun() -> group(one_for_all, 1, 1000) end},
     {"rest_for_one", fun() -> group(rest_for_one, 501, 500) end},
     {"dyn_start_c1", fun() -> dyn_start(1) end},
     {"dyn_start_c8", fun() -> dyn_start(8) end},
     {"dyn_stop", fun dyn_stop/0},
     {"tree_start", fun tree_start/0},
     {"timers", fun timers/0},
     {"timers_fire", fun timers_fire/0},
     {"registry", fun registry/0},
     {"registry_ets", fun registry_ets/0},
     {"selective", fun selective/0},
     {"payload", fun payload/0},
     {"skynet", fun skynet/0},
     {"latency", fun latency/0}].

%% Runs the funs, one process each, released together. Returns the time from
%% the release to the last one's end, and the results in order.
parallel(Funs) ->
    Me = self(),
    Pids = [spawn_link(fun() ->
                Me ! {ready, self()},
                receive go -> ok end,
                R = F(),
                Me ! {done, self(), R}
            end) || F <- Funs],
    [receive {ready, P} -> ok end || P <- Pids],
    T0 = now_ns(),
    [P ! go || P <- Pids],
    Rs = [receive {done, P, R} -> R end || P <- Pids],
    {now_ns() - T0, Rs}.

for(0, _) -> ok;
for(N, F) -> F(N), for(N - 1, F).

%%% 1 spawn_exit

spawn_exit() ->
    N = scale(1000000),
    B = N div 1000,
    run("spawn_exit", #{budget_ms => 3000}, fun() ->
        Me = self(),
        T0 = now_ns(),
        for(1000, fun(_) ->
            for(B, fun(_) -> spawn(fun() -> Me ! done end) end),
            for(B, fun(_) -> receive done -> ok end end)
        end),
        Ns = now_ns() - T0,
        false = receive done -> true after 10 -> false end,
        [{"msg", rate(B * 1000, Ns), "spawns/s", N}]
    end),
    run("spawn_exit", #{budget_ms => 3000}, fun() ->
        T0 = now_ns(),
        for(1000, fun(_) ->
            for(B, fun(_) -> spawn_monitor(fun() -> ok end) end),
            for(B, fun(_) -> receive {'DOWN', _, process, _, normal} -> ok end end)
        end),
        Ns = now_ns() - T0,
        [{"mon", rate(B * 1000, Ns), "spawns/s", N}]
    end).

%%% 2 idle_memory: once each, in a fresh emulator

idle(Name, Start) ->
    N = scale(1000000),
    run(Name, #{max => 1, min => 1, warm => false}, fun() ->
        Count0 = erlang:system_info(process_count),
        erlang:garbage_collect(),
        Rss0 = peer_h:rss(),
        Vm0 = erlang:memory(total),
        T0 = now_ns(),
        Extra = Start(N),
        Ns = now_ns() - T0,
        erlang:garbage_collect(),
        Rss1 = peer_h:rss(),
        Vm1 = erlang:memory(total),
        Count1 = erlang:system_info(process_count),
        N = Count1 - Count0 - Extra,
        [{"rss", (Rss1 - Rss0) / N, "B/process", N},
         {"vm", (Vm1 - Vm0) / N, "B/process", N},
         {"start", rate(N, Ns), "starts/s", N}]
    end),
    halt(0).

idle_plain(N) ->
    Me = self(),
    for(N div 1000, fun(_) ->
        for(1000, fun(_) -> spawn(fun() -> Me ! ready, receive stop -> ok end end) end),
        for(1000, fun(_) -> receive ready -> ok end end)
    end),
    0.

idle_srv(N) ->
    for(N, fun(_) -> {ok, _} = gen_server:start(peer_srv, idle, []) end),
    0.

idle_hib(N) ->
    for(N, fun(_) -> {ok, _} = gen_server:start(peer_srv, hibernate, []) end),
    0.

idle_sup(N) ->
    {ok, Sup} = peer_sup:start_link(simple_one_for_one, [peer_sup:child(w, permanent, idle)]),
    for(N, fun(_) -> {ok, _} = supervisor:start_child(Sup, []) end),
    erlang:garbage_collect(Sup),
    1.

%%% 3 pingpong

pingpong() ->
    N = scale(1000000),
    run("pingpong", #{}, fun() ->
        B = spawn_link(fun pong/0),
        [{"", rate(N, ping_timed(B, N)), "roundtrips/s", N}]
    end).

pingpong_cross() ->
    2 = erlang:system_info(schedulers_online),
    N = scale(30000),
    run("pingpong_cross", #{}, fun() ->
        Me = self(),
        B = peer_h:spawn_on(2, fun pong/0),
        peer_h:spawn_on(1, fun() -> Me ! {time, ping_timed(B, N)} end),
        Ns = receive {time, T} -> T end,
        [{"", rate(N, Ns), "roundtrips/s", N}]
    end).

ping_timed(B, N) ->
    T0 = now_ns(),
    Sum = ping(B, N, 0),
    Ns = now_ns() - T0,
    Sum = N * (N + 1) div 2,
    B ! stop,
    Ns.

ping(_, 0, Sum) -> Sum;
ping(B, I, Sum) ->
    B ! {ping, self(), I},
    receive {pong, I} -> ping(B, I - 1, Sum + I) end.

pong() ->
    receive
        {ping, From, I} -> From ! {pong, I}, pong();
        stop -> ok
    end.

%%% 4 gen_call

gen_call() ->
    N = scale(300000),
    [run("gen_call", #{}, fun() ->
        {ok, S} = peer_srv:start_link(idle),
        Each = N div C,
        {Ns, _} = parallel([fun() -> for(Each, fun(_) ->
                                gen_server:call(S, next) end) end || _ <- lists:seq(1, C)]),
        Last = gen_server:call(S, next),
        Last = Each * C + 1,
        gen_server:stop(S),
        [{[$c | integer_to_list(C)], rate(Each * C, Ns), "calls/s", N}]
    end) || C <- [1, 100]].

%%% 5 fan_in

fan_in() ->
    Each = scale(20000),
    [run("fan_in", #{}, fun() ->
        Me = self(),
        N = 100 * Each,
        R = spawn_opt(fun() -> Sum = fan_recv(N, 0), Me ! {sum, Sum, now_ns()} end,
                      [link | Opt]),
        Senders = [spawn_link(fun() -> receive go -> fan_send(R, Id, Each) end end)
                   || Id <- lists:seq(1, 100)],
        T0 = now_ns(),
        [S ! go || S <- Senders],
        {Sum, T1} = receive {sum, S, T} -> {S, T} end,
        Sum = 100 * (Each * (Each + 1) div 2),
        [{Sub, rate(N, T1 - T0), "msgs/s", N}]
    end) || {Sub, Opt} <- [{"", []}, {"off_heap", [{message_queue_data, off_heap}]}]].

fan_send(_, _, 0) -> ok;
fan_send(R, Id, I) -> R ! {Id, I}, fan_send(R, Id, I - 1).

fan_recv(0, Sum) -> Sum;
fan_recv(N, Sum) -> receive {_, I} -> fan_recv(N - 1, Sum + I) end.

%%% 6 ring and threadring

ring() ->
    Laps = scale(1000),
    run("ring", #{}, fun() ->
        N = 1000 * Laps,
        Ns = ring_timed(1000, N, fun(I) -> I =:= 1 end),
        [{"", rate(N, Ns), "hops/s", N}]
    end).

threadring() ->
    N = scale(5000000),
    run("threadring", #{}, fun() ->
        Ns = ring_timed(503, N, fun(I) -> I =:= N rem 503 + 1 end),
        [{"", rate(N, Ns), "hops/s", N}]
    end).

%% Node 1 gets the token with the value N; each node passes on one less; the
%% node that gets 0 says so.
ring_timed(Size, N, Check) ->
    Me = self(),
    First = spawn_link(fun() -> receive {next, Next} -> node(Me, 1, Next) end end),
    Last = lists:foldl(fun(I, Next) ->
        spawn_link(fun() -> node(Me, I, Next) end)
    end, First, lists:seq(Size, 2, -1)),
    First ! {next, Last},
    T0 = now_ns(),
    First ! {token, N},
    I = receive {at, At} -> At end,
    Ns = now_ns() - T0,
    true = Check(I),
    First ! stop,
    Ns.

node(Me, I, Next) ->
    receive
        {token, 0} -> Me ! {at, I}, node(Me, I, Next);
        {token, N} -> Next ! {token, N - 1}, node(Me, I, Next);
        stop -> Next ! stop
    end.

%%% 7 crash_restart

crash(Name, Siblings, History) ->
    N = scale(case Siblings of dyn -> 2000; _ -> 20000 end),
    run(Name, #{warm => false, budget_ms => 4000}, fun() ->
        {Sup, Pid0, Count} = crash_tree(Siblings),
        Rs = case History of
            forget ->
                {Pid1, Ns1, L1} = crash_series(N, fun(P) -> P ! crash end, Sup, Pid0, true),
                {_, Ns2, L2} = crash_series(N, fun(P) -> exit(P, kill) end, Sup, Pid1, true),
                [{"crash", Ns1, L1}, {"kill", Ns2, L2}];
            keep ->
                {_, Ns1, L1} = crash_series(N, fun(P) -> P ! crash end, Sup, Pid0, false),
                [{"crash", Ns1, L1}]
        end,
        [{specs, _}, {active, Count}, {supervisors, 0}, {workers, Count}] =
            supervisor:count_children(Sup),
        peer_sup:stop(Sup),
        [X || {Sub, Ns, L} <- Rs,
              X <- [{Sub, rate(N, Ns), "restarts/s", N},
                    {Sub ++ ".p50", percentile(50, L) / 1000, "us", N},
                    {Sub ++ ".p99", percentile(99, L) / 1000, "us", N}]]
    end).

crash_tree(dyn) ->
    N = scale(100000),
    {ok, Sup} = supervisor:start_link(peer_sup, {simple_one_for_one,
        [#{id => w, start => {peer_srv, start_link, []}}]}),
    Half = N div 2,
    for(Half, fun(_) -> {ok, _} = supervisor:start_child(Sup, [idle]) end),
    {ok, Pid} = supervisor:start_child(Sup, [{notify, self(), 0}]),
    receive {started, Pid, 0, _} -> ok end,
    for(N - Half, fun(_) -> {ok, _} = supervisor:start_child(Sup, [idle]) end),
    {Sup, Pid, N + 1};
crash_tree(Siblings) ->
    %% OTP 25 finds the dead child by a walk over a map: take as the target the
    %% child halfway through that walk.
    Ids = lists:seq(1, Siblings + 1),
    Keys = maps:keys(maps:from_list([{I, x} || I <- Ids])),
    Target = lists:nth(Siblings div 2 + 1, Keys),
    Arg = fun(I) when I =:= Target -> {notify, self(), I};
             (_) -> idle
          end,
    {ok, Sup} = peer_sup:start_link(one_for_one,
        [peer_sup:child(I, permanent, Arg(I)) || I <- Ids]),
    Pid = receive {started, P, Target, _} -> P end,
    {Sup, Pid, Siblings + 1}.

%% N crashes, each sent once the restart after the one before is known. Returns
%% the time of it all and the latencies, crash sent to init done. With Forget
%% the supervisor's restart history is emptied after every 100, untimed.
crash_series(N, How, Sup, Pid, Forget) -> crash_series(N, How, Sup, Pid, Forget, 0, []).

crash_series(0, _, _, Pid, _, Ns, Acc) -> {Pid, Ns, Acc};
crash_series(N, How, Sup, Pid, Forget, Ns, Acc) ->
    [peer_sup:forget_restarts(Sup) || Forget andalso N rem 100 =:= 0],
    T0 = now_ns(),
    How(Pid),
    receive
        {started, New, _, T1} when New =/= Pid ->
            T2 = now_ns(),
            crash_series(N - 1, How, Sup, New, Forget, Ns + T2 - T0, [T1 - T0 | Acc])
    end.

%%% 8 one_for_all and rest_for_one

group(Strategy, Victim, Restarts) ->
    run(atom_to_list(Strategy), #{max => 5, warm => false}, fun() ->
        Ids = lists:seq(1, 1000),
        {ok, Sup} = peer_sup:start_link(Strategy,
            [peer_sup:child(I, permanent, {notify, self(), I}) || I <- Ids]),
        {Pid0, _, 1000} = gather(Victim, 1000, now_ns()),
        {L, _} = lists:mapfoldl(fun(_, Pid) ->
            T0 = now_ns(),
            Pid ! crash,
            {New, T1, Restarts} = gather(Victim, Restarts, T0),
            {T1 - T0, New}
        end, Pid0, lists:seq(1, 50)),
        false = receive {started, _, _, _} -> true after 20 -> false end,
        [{specs, 1000}, {active, 1000} | _] = supervisor:count_children(Sup),
        peer_sup:stop(Sup),
        Med = percentile(50, L),
        [{"", Med / 1.0e6, "ms", Restarts},
         {"per_child", rate(Restarts, Med), "restarts/s", Restarts}]
    end).

%% The victim's new pid, the latest start, and how many different ones started.
gather(Victim, N, Since) -> gather(Victim, N, #{}, undefined, Since).

gather(_, 0, Seen, Pid, T) when is_pid(Pid) -> {Pid, T, maps:size(Seen)};
gather(Victim, N, Seen, Pid, T) ->
    receive
        {started, P, Id, T1} ->
            New = case Id of Victim -> P; _ -> Pid end,
            gather(Victim, N - 1, Seen#{Id => x}, New, max(T, T1))
    end.

%%% 9 dyn_start

dyn_start(C) ->
    N = scale(200000),
    run("dyn_start", #{warm => false, min => 2, max => 5, budget_ms => 4000}, fun() ->
        C0 = counters:new(1, [write_concurrency]),
        {ok, Sup} = supervisor:start_link(peer_sup, {simple_one_for_one,
            [#{id => w, start => {peer_srv, start_link, []}}]}),
        Each = N div C,
        {Ns1, Lists} = parallel([fun() -> start_each(Each, Sup, C0, []) end
                                 || _ <- lists:seq(1, C)]),
        Total = Each * C,
        Total = counters:get(C0, 1),
        Total = proplists:get_value(active, supervisor:count_children(Sup)),
        {Ns2, _} = parallel([fun() -> terminate_each(L, Sup) end
                             || L0 <- Lists, L <- [lists:reverse(L0)]]),
        0 = proplists:get_value(active, supervisor:count_children(Sup)),
        false = lists:any(fun(L) -> lists:any(fun is_process_alive/1, L) end, Lists),
        peer_sup:stop(Sup),
        Sub = [$c | integer_to_list(C)],
        [{Sub ++ ".start", rate(Total, Ns1), "starts/s", N},
         {Sub ++ ".terminate", rate(Total, Ns2), "terminates/s", N}]
    end).

start_each(0, _, _, Acc) -> Acc;
start_each(N, Sup, Counter, Acc) ->
    {ok, P} = supervisor:start_child(Sup, [{count, Counter}]),
    start_each(N - 1, Sup, Counter, [P | Acc]).

terminate_each([], _) -> ok;
terminate_each([P | L], Sup) ->
    ok = supervisor:terminate_child(Sup, P),
    terminate_each(L, Sup).

%% An orderly stop of one supervisor with all its children alive.
dyn_stop() -> [dyn_stop(Sub, scale(N)) || {Sub, N} <- [{"", 20000}, {"100k", 100000}]].

dyn_stop(Sub, N) ->
    run("dyn_stop", #{warm => false, max => 5}, fun() ->
        Base = erlang:system_info(process_count),
        {ok, Sup} = supervisor:start_link(peer_sup, {simple_one_for_one,
            [#{id => w, start => {peer_srv, start_link, [idle]}}]}),
        for(N, fun(_) -> {ok, _} = supervisor:start_child(Sup, []) end),
        T0 = now_ns(),
        peer_sup:stop(Sup),
        Ns = now_ns() - T0,
        peer_h:wait_procs(Base),
        [{Sub, rate(N, Ns), "children/s", N}]
    end).

%%% 10 tree_start

tree_start() ->
    run("tree_start", #{max => 15}, fun() ->
        Base = erlang:system_info(process_count),
        C = counters:new(1, [write_concurrency]),
        T0 = now_ns(),
        {ok, Root} = tree(C, [10, 10, 100]),
        T1 = now_ns(),
        10000 = counters:get(C, 1),
        10111 = erlang:system_info(process_count) - Base,
        T2 = now_ns(),
        peer_sup:stop(Root),
        T3 = now_ns(),
        peer_h:wait_procs(Base),
        [{"start", (T1 - T0) / 1.0e6, "ms", 10000},
         {"stop", (T3 - T2) / 1.0e6, "ms", 10000}]
    end).

tree(C, Shape) -> peer_sup:start_link(one_for_one, tree_specs(C, Shape)).

tree_specs(C, [N]) -> [peer_sup:child(I, permanent, {count, C}) || I <- lists:seq(1, N)];
tree_specs(C, [N | Rest]) ->
    Specs = tree_specs(C, Rest),
    [#{id => I, start => {peer_sup, start_nested, [{one_for_one, Specs}]},
       type => supervisor, shutdown => infinity} || I <- lists:seq(1, N)].

%%% 12 timers

timers() ->
    N = scale(1000000),
    run("timers", #{}, fun() ->
        T0 = now_ns(),
        Refs0 = timers_set(N, []),
        T1 = now_ns(),
        Refs = lists:reverse(Refs0),
        T2 = now_ns(),
        ok = timers_cancel(Refs),
        T3 = now_ns(),
        false = receive fired -> true after 0 -> false end,
        [{"set", rate(N, T1 - T0), "ops/s", N},
         {"cancel", rate(N, T3 - T2), "ops/s", N},
         {"set_cancel_all", rate(2 * N, T1 - T0 + T3 - T2), "ops/s", 2 * N}]
    end),
    run("timers", #{}, fun() ->
        T0 = now_ns(),
        for(N, fun(_) ->
            R = erlang:send_after(5000, self(), fired),
            true = is_integer(erlang:cancel_timer(R))
        end),
        T1 = now_ns(),
        false = receive fired -> true after 0 -> false end,
        [{"set_cancel_each", rate(N, T1 - T0), "pairs/s", N}]
    end).

timers_set(0, Refs) -> Refs;
timers_set(I, Refs) ->
    timers_set(I - 1, [erlang:send_after(60000 + I rem 50000, self(), fired) | Refs]).

timers_cancel([]) -> ok;
timers_cancel([R | Refs]) ->
    true = is_integer(erlang:cancel_timer(R)),
    timers_cancel(Refs).

timers_fire() ->
    N = scale(200000),
    %% All due at one moment: how fast they come once they are due.
    run("timers_fire", #{max => 5}, fun() ->
        Due = erlang:monotonic_time(millisecond) + 500,
        for(N, fun(I) -> erlang:send_after(Due, self(), {fired, I}, [{abs, true}]) end),
        true = erlang:monotonic_time(millisecond) < Due,
        Sum = fired(N, 0),
        Ns = now_ns() - Due * 1000000,
        Sum = N * (N + 1) div 2,
        [{"storm", rate(N, Ns), "timers/s", N}]
    end),
    %% Spread evenly over a second: how late they come.
    run("timers_fire", #{max => 3, warm => false}, fun() ->
        Start = erlang:monotonic_time(millisecond) + 300,
        for(N, fun(I) ->
            Due = Start + I * 1000 div N,
            erlang:send_after(Due, self(), {fired, Due}, [{abs, true}])
        end),
        true = erlang:monotonic_time(millisecond) < Start,
        L = late(N, []),
        true = lists:min(L) >= 0,
        [{"late.p50", percentile(50, L) / 1000, "us", N},
         {"late.p99", percentile(99, L) / 1000, "us", N}]
    end).

fired(0, Sum) -> Sum;
fired(N, Sum) -> receive {fired, I} -> fired(N - 1, Sum + I) end.

late(0, L) -> L;
late(N, L) -> receive {fired, Due} -> late(N - 1, [now_ns() - Due * 1000000 | L]) end.

%%% 13 registry

registry() ->
    Names = list_to_tuple([list_to_atom("peer_name_" ++ integer_to_list(I))
                           || I <- lists:seq(1, 10000)]),
    Owners = [spawn_link(fun() ->
                  true = register(Name, self()),
                  receive stop -> ok end
              end) || Name <- tuple_to_list(Names)],
    timer:sleep(200),
    Owners = [whereis(Name) || Name <- tuple_to_list(Names)],
    persistent_term:put(names, Names),
    N = scale(1000000),
    run("registry.whereis", #{}, fun() ->
        {Ns, [ok, ok]} = parallel([fun() -> lookups(N div 2, Seed, persistent_term:get(names)) end
                                   || Seed <- [1, 2]]),
        [{"", rate(N, Ns), "lookups/s", N}]
    end),
    persistent_term:put(own_names, list_to_tuple(
        [list_to_tuple([list_to_atom(lists:concat([own_, W, $_, I])) || I <- lists:seq(1, 100)])
         || W <- [1, 2]])),
    [reg_unreg("registry.register", Procs, fun(Who, I) ->
        Name = element(I rem 100 + 1, element(Who, persistent_term:get(own_names))),
        true = register(Name, self()),
        true = unregister(Name)
    end) || Procs <- [1, 2]].

reg_unreg(Name, Procs, F) ->
    N = scale(200000),
    run(Name, #{}, fun() ->
        {Ns, _} = parallel([fun() -> for(N div Procs, fun(I) -> F(Who, I) end) end
                            || Who <- lists:seq(1, Procs)]),
        [{[$c | integer_to_list(Procs)], rate(N, Ns), "pairs/s", N}]
    end).

lookups(0, _, _) -> ok;
lookups(N, X, Names) ->
    true = is_pid(whereis(element(X rem 10000 + 1, Names))),
    lookups(N - 1, peer_h:minstd(X), Names).

%% The same over 100,000 binary keys in one ETS table, as a hand-made registry.
registry_ets() ->
    Size = 100000,
    T = ets:new(names, [set, public, {read_concurrency, true}, {write_concurrency, true}]),
    Names = list_to_tuple([iolist_to_binary(io_lib:format("name-~6..0b", [I]))
                           || I <- lists:seq(1, Size)]),
    [true = ets:insert_new(T, {Name, self()}) || Name <- tuple_to_list(Names)],
    persistent_term:put(names, Names),
    N = scale(1000000),
    run("registry.ets", #{}, fun() ->
        {Ns, [ok, ok]} = parallel([fun() ->
            ets_lookups(N div 2, Seed, persistent_term:get(names), T)
        end || Seed <- [1, 2]]),
        [{"", rate(N, Ns), "lookups/s", N}]
    end).

ets_lookups(0, _, _, _) -> ok;
ets_lookups(N, X, Names, T) ->
    [{_, P}] = ets:lookup(T, element(X rem 100000 + 1, Names)),
    true = is_pid(P),
    ets_lookups(N - 1, peer_h:minstd(X), Names, T).

%%% 14 selective receive

selective() ->
    N = scale(200000),
    run("selective.call", #{}, fun() ->
        {ok, S} = peer_srv:start_link(idle),
        for(10000, fun(I) -> self() ! {unrelated, I} end),
        T0 = now_ns(),
        for(N, fun(_) -> gen_server:call(S, next) end),
        Ns = now_ns() - T0,
        Last = gen_server:call(S, next),
        Last = N + 1,
        {message_queue_len, 10000} = process_info(self(), message_queue_len),
        gen_server:stop(S),
        [{"", rate(N, Ns), "calls/s", N}]
    end),
    M = scale(5000),
    %% Without the reference: the receive walks past all 10,000 each time.
    run("selective.scan", #{}, fun() ->
        B = spawn_link(fun pong/0),
        for(10000, fun(I) -> self() ! {unrelated, I} end),
        Ns = ping_timed(B, M),
        {message_queue_len, 10000} = process_info(self(), message_queue_len),
        [{"", rate(M, Ns), "calls/s", M}]
    end).

%%% 15 payload

payload() ->
    [run("payload", #{budget_ms => 1000}, fun() ->
        Tail = binary:copy(<<7>>, Size - 8),
        Whole = <<0:64, Tail/binary>>,
        Ns = stream(N, case Kind of
                shared -> fun(_) -> Whole end;
                fresh -> fun(I) -> <<I:64, Tail/binary>> end
            end,
            fun(<<_:64, _/binary>> = B, I) ->
                Size = byte_size(B),
                7 = binary:last(B),
                case Kind of
                    shared -> ok;
                    fresh -> <<I:64, _/binary>> = B, ok
                end
            end),
        [{atom_to_list(Kind) ++ [$. | Label], N * Size / 1.0e6 / (Ns / 1.0e9), "MB/s", N}]
    end) || {Kind, Label, Size, N0} <-
                [{shared, "1k", 1024, 200000}, {shared, "64k", 65536, 200000},
                 {shared, "1m", 1048576, 200000},
                 {fresh, "1k", 1024, 200000}, {fresh, "64k", 65536, 8000},
                 {fresh, "1m", 1048576, 500}],
            N <- [scale(N0) div 16 * 16]],
    %% A list of 64 small integers: 1,024 bytes of heap, copied by each send.
    N = scale(200000) div 16 * 16,
    run("payload", #{budget_ms => 1000}, fun() ->
        L = lists:seq(1, 64),
        Ns = stream(N, fun(_) -> L end, fun(M, _) -> 1 = hd(M), ok end),
        [{"copy.1k", N * 1024 / 1.0e6 / (Ns / 1.0e9), "MB/s", N}]
    end).

%% Sends N messages, sixteen at a time, each sixteen acknowledged.
stream(N, Make, Check) ->
    Me = self(),
    R = spawn_link(fun() -> stream_recv(Me, 1, N, Check) end),
    T0 = now_ns(),
    stream_send(R, 1, N, Make),
    receive {received, N} -> ok end,
    now_ns() - T0.

stream_send(_, I, N, _) when I > N -> ok;
stream_send(R, I, N, Make) ->
    R ! {data, Make(I)},
    case I rem 16 of
        0 -> receive ack -> stream_send(R, I + 1, N, Make) end;
        _ -> stream_send(R, I + 1, N, Make)
    end.

stream_recv(Me, I, N, _) when I > N -> Me ! {received, I - 1};
stream_recv(Me, I, N, Check) ->
    receive {data, D} -> Check(D, I) end,
    [Me ! ack || I rem 16 =:= 0],
    stream_recv(Me, I + 1, N, Check).

%%% 16 skynet

skynet() ->
    Size = scale(1000000),
    run("skynet", #{}, fun() ->
        T0 = now_ns(),
        Me = self(),
        spawn_link(fun() -> sky(Me, 0, Size) end),
        Sum = receive {sky, S} -> S end,
        Ns = now_ns() - T0,
        Sum = Size * (Size - 1) div 2,
        [{"", Ns / 1.0e6, "ms", Size}]
    end).

sky(Parent, Num, 1) -> Parent ! {sky, Num};
sky(Parent, Num, Size) ->
    Me = self(),
    Sub = Size div 10,
    for(10, fun(I) -> spawn(fun() -> sky(Me, Num + (I - 1) * Sub, Sub) end) end),
    Parent ! {sky, sky_sum(10, 0)}.

sky_sum(0, Sum) -> Sum;
sky_sum(N, Sum) -> receive {sky, S} -> sky_sum(N - 1, Sum + S) end.

%%% 17 latency

latency() ->
    [run("latency", #{max => 3, warm => false}, fun() ->
        Stop = atomics:new(1, []),
        Others = latency_load(Load, Stop),
        L = latency_calls([element(2, peer_srv:start_link(idle)) || _ <- lists:seq(1, 1000)]),
        atomics:put(Stop, 1, 1),
        [receive {'DOWN', Mon, process, _, normal} -> ok end || Mon <- Others],
        [{atom_to_list(Load) ++ [$. | Label], percentile(P, L) / 1000, "us", length(L)}
         || {Label, P} <- [{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}]]
    end) || Load <- [idle, saturated, hog]].

%% 10 processes make 500 calls each, a millisecond apart, to one server after
%% the other; how long each call took.
latency_calls(Servers) ->
    Tuple = list_to_tuple(Servers),
    {_, Ls} = parallel([fun() -> latency_caller(scale(500), Id * 100, Tuple, []) end
                        || Id <- lists:seq(1, 10)]),
    lists:append(Ls).

latency_caller(0, _, _, L) -> L;
latency_caller(N, I, Servers, L) ->
    timer:sleep(1),
    T0 = now_ns(),
    _ = gen_server:call(element(I rem 1000 + 1, Servers), next),
    T1 = now_ns(),
    latency_caller(N - 1, I + 1, Servers, [T1 - T0 | L]).

latency_load(idle, _) -> [];
latency_load(hog, Stop) ->
    {_, Mon} = spawn_monitor(fun() -> hog(Stop) end),
    [Mon];
%% Twenty pairs of workers a scheduler, with one token each: who has it computes
%% for 50 us and passes it to its partner.
latency_load(saturated, Stop) ->
    Pairs = 20 * erlang:system_info(schedulers_online),
    Worker = fun() -> receive {partner, P} -> worker(P, Stop) end end,
    lists:append([begin
        {A, MonA} = spawn_monitor(Worker),
        {B, MonB} = spawn_monitor(Worker),
        A ! {partner, B},
        B ! {partner, A},
        A ! token,
        [MonA, MonB]
    end || _ <- lists:seq(1, Pairs)]).

hog(Stop) -> case atomics:get(Stop, 1) of 0 -> hog(Stop); _ -> ok end.

worker(Next, Stop) ->
    receive token -> ok end,
    busy(now_ns() + 50000),
    Next ! token,
    case atomics:get(Stop, 1) of 0 -> worker(Next, Stop); _ -> ok end.

busy(Until) -> case now_ns() of T when T < Until -> busy(Until); _ -> ok end.
