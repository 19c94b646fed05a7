// SPDX-License-Identifier: MIT
// Copies of a vector in one function, kept by another.
#include <cstdio>
#include <vector>

using numbers = std::vector<double>;

__attribute__((noinline)) numbers take_snapshot(const numbers &from)
{
    return from; // snapshot
}

int main()
{
    numbers all(1 << 20, 1.0);
    std::vector<numbers> kept;

    kept.reserve(6);
    for (int i = 0; i < 6; i++)
        kept.push_back(take_snapshot(all));
    std::printf("%zu\n", kept.size());
}
