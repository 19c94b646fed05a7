// std::vector: a copy, then 10 % of it changed, then 1 % of the original.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

using clock_type = std::chrono::steady_clock;

static clock_type::time_point start = clock_type::now();

static void done(const char *name)
{
	std::chrono::duration<double> passed = clock_type::now() - start;
	std::printf("step %.6f %s\n", passed.count(), name);
	std::fflush(stdout);
	std::string line;
	std::getline(std::cin, line);
	start = clock_type::now();
}

static std::uint64_t checksum(const std::vector<double> &values)
{
	std::uint64_t sum = 14695981039346656037u;
	for (double value : values) {
		std::uint64_t bits;
		std::memcpy(&bits, &value, sizeof bits);
		sum = (sum ^ bits) * 1099511628211u;
	}
	return sum;
}

int main()
{
	const std::size_t count = 50 << 20; // 400 MiB
	std::vector<double> original(count);
	std::iota(original.begin(), original.end(), 0.0);
	done("fill original");

	std::vector<double> copy = original;
	done("copy = original");

	for (std::size_t i = 0; i < count / 10; i++)
		copy[i] = -1.0;
	done("change 10 % of copy");

	for (std::size_t i = count - count / 100; i < count; i++)
		original[i] = -2.0;
	done("change 1 % of original");

	std::printf("%016llx %016llx\n", static_cast<unsigned long long>(checksum(original)),
	            static_cast<unsigned long long>(checksum(copy)));
}
