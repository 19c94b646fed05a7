// SPDX-License-Identifier: MIT
// Copies of a vector in one function, kept by another.
#include <cstdio>
#include <vector>

using numbers = std::vector<double>;

__attribute__((noinline)) numbers take_snapshot(const numbers &from)
{
    return from; // snapshot
}

struct state { // struct
    numbers cells;
    int generation = 0;
};

__attribute__((noinline)) void keep(std::vector<state> &kept, const state &now)
{
    kept.push_back(now); // kept
}

int main()
{
    numbers all(1 << 20, 1.0);
    std::vector<numbers> kept;

    kept.reserve(6);
    for (int i = 0; i < 6; i++)
        kept.push_back(take_snapshot(all));

    state now{numbers(1 << 20, 2.0)};
    std::vector<state> states;

    states.reserve(3);
    for (now.generation = 0; now.generation < 3; now.generation++)
        keep(states, now);
    std::printf("%zu\n", kept.size());
}
