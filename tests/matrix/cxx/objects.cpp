/* Virtual calls, constructors and destructors, templates, overloads, lambdas, callbacks from the library. */
#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "matrix.h"

namespace fn {

MX_FUNCTION_NAMED(square, "fn::Square::area(unsigned long) const")
MX_FUNCTION_NAMED(circle, "fn::Circle::area(unsigned long) const")
MX_FUNCTION_NAMED(twice_int, "int fn::twice<int>(int const&)")
MX_FUNCTION_NAMED(twice_pair, "fn::Pair fn::twice<fn::Pair>(fn::Pair const&)")
MX_FUNCTION_NAMED(less, "fn::less(int, int)")
MX_FUNCTION_NAMED(apply, "fn::apply(std::function<unsigned long (unsigned long)> const&, unsigned long)")
MX_FUNCTION_NAMED(sum_int, "fn::sum(int)")
MX_FUNCTION_NAMED(sum_pair, "fn::sum(fn::Pair const&)")

struct Pair {
	int a, b;
	Pair operator+(const Pair &other) const
	{
		return {a + other.a, b + other.b};
	}
};

struct Shape {
	virtual ~Shape() = default;
	virtual uint64_t area(uint64_t x) const = 0;
};

struct Square : Shape {
	MX_TRACED uint64_t area(uint64_t x) const override
	{
		MX_ENTER(square);
		return x * x;
	}
};

struct Circle : Shape {
	MX_TRACED uint64_t area(uint64_t x) const override
	{
		MX_ENTER(circle);
		return 3 * x * x;
	}
};

template <typename T> void count_twice();
template <> void count_twice<int>()
{
	MX_ENTER(twice_int);
}
template <> void count_twice<Pair>()
{
	MX_ENTER(twice_pair);
}

template <typename T> MX_TRACED T twice(const T &value)
{
	count_twice<T>();
	return value + value;
}

MX_TRACED bool less(int a, int b)
{
	MX_ENTER(less);
	return a < b;
}

MX_TRACED uint64_t apply(const std::function<uint64_t(uint64_t)> &f, uint64_t x)
{
	uint64_t r = f(x);

	MX_ENTER(apply);
	return r + 1;
}

/* Overloads. */
MX_TRACED int sum(int x)
{
	MX_ENTER(sum_int);
	return x + 1;
}

MX_TRACED int sum(const Pair &x)
{
	MX_ENTER(sum_pair);
	return x.a + x.b;
}

} // namespace fn

MX_UNIT(objects)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		std::vector<std::unique_ptr<fn::Shape>> shapes;
		std::vector<int> numbers = {7, 3, 9, 1, 5};

		shapes.push_back(std::make_unique<fn::Square>());
		shapes.push_back(std::make_unique<fn::Circle>());
		wrong += shapes[0]->area(i) + shapes[1]->area(i) != 4ul * i * i;
		wrong += fn::twice(static_cast<int>(i)) != static_cast<int>(2 * i);
		std::sort(numbers.begin(), numbers.end(), fn::less);
		wrong += numbers[0] != 1 || numbers[4] != 9;
		wrong += fn::apply([](uint64_t x) { return x * 2; }, i) != 2 * i + 1;
		wrong += fn::sum(fn::sum(7)) != 9 || fn::sum(fn::twice(fn::Pair{1, 2})) != 6;
	}
	return wrong;
}
