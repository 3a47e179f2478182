/*
 * cxx.cpp - threads in a ring build maps of strings and vectors and pass them on
 * to the next, which drops them.  Prints a sum that does not depend on timing.
 */
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace
{

using Load = std::map<std::string, std::vector<int>>;

class Queue
{
  public:
    void put(std::unique_ptr<Load> load)
    {
        std::lock_guard<std::mutex> guard(mutex_);
        loads_.push_back(std::move(load));
        filled_.notify_one();
    }

    std::unique_ptr<Load> take()
    {
        std::unique_lock<std::mutex> guard(mutex_);
        filled_.wait(guard, [this] { return !loads_.empty(); });
        auto load = std::move(loads_.front());
        loads_.pop_front();
        return load;
    }

  private:
    std::mutex mutex_;
    std::condition_variable filled_;
    std::deque<std::unique_ptr<Load>> loads_;
};

struct alignas(64) Counter {
    unsigned long value = 0;
};

std::unique_ptr<Load> build(std::mt19937 &random)
{
    auto load = std::make_unique<Load>();
    for (int i = 0; i < 2000; i++) {
        auto &list =
            (*load)["key " + std::to_string(random() % 600) + std::string(random() % 60, 'x')];
        list.resize(list.size() + random() % 50, i);
    }
    return load;
}

void work(int seed, int rounds, Queue &in, Queue &out, Counter &counter)
{
    std::mt19937 random(seed);
    for (int round = 0; round < rounds; round++) {
        out.put(build(random));
        auto load = in.take();
        for (const auto &entry : *load)
            counter.value += entry.first.size() * (entry.second.size() + 1);
    }
}

} // namespace

int main(int argc, char **argv)
{
    constexpr int count = 4;
    int rounds = argc > 1 ? std::atoi(argv[1]) : 40;
    std::vector<Queue> queues(count);
    // Over-aligned: goes through the aligned forms of operator new.
    std::vector<std::unique_ptr<Counter>> counters;
    std::vector<std::thread> threads;
    unsigned long sum = 0;

    for (int i = 0; i < count; i++)
        counters.push_back(std::make_unique<Counter>());
    for (int i = 0; i < count; i++)
        threads.emplace_back(work, i, rounds, std::ref(queues[i]),
                             std::ref(queues[(i + 1) % count]), std::ref(*counters[i]));
    for (auto &thread : threads)
        thread.join();
    for (auto &counter : counters)
        sum += counter->value;
    std::printf("%lu\n", sum);
    return 0;
}
