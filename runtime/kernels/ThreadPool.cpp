#include "runtime/kernels/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace sd {

namespace {

struct Job {
  const std::function<void(std::int64_t)> *body;
  std::int64_t count;
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> finished{0};
  std::exception_ptr failure; // the first, for the caller
};

} // namespace

struct ThreadPool::Impl {
  std::mutex mutex;
  std::condition_variable wake, done;
  std::deque<std::shared_ptr<Job>> jobs;
  bool stopping = false;
  std::vector<std::thread> workers;

  // Runs what is left of the job; whoever finishes its last index wakes the caller.
  void run(Job &job) {
    for (;;) {
      std::int64_t index = job.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= job.count) return;
      try {
        (*job.body)(index);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!job.failure) job.failure = std::current_exception();
      }
      if (job.finished.fetch_add(1, std::memory_order_acq_rel) + 1 == job.count) {
        std::lock_guard lock(mutex);
        done.notify_all();
      }
    }
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stopping || !jobs.empty(); });
      if (stopping) return;
      std::shared_ptr<Job> job = jobs.front();
      lock.unlock();
      run(*job);
      lock.lock();
      if (auto it = std::find(jobs.begin(), jobs.end(), job); it != jobs.end()) jobs.erase(it);
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) : impl_(std::make_unique<Impl>()) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  try {
    for (unsigned i = 1; i < threads; ++i)
      impl_->workers.emplace_back([this] { impl_->work(); });
  } catch (const std::system_error &) {
    // The system gives no more threads: those there are do the work.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  for (std::thread &worker : impl_->workers)
    worker.join();
}

unsigned ThreadPool::threads() const { return static_cast<unsigned>(impl_->workers.size()) + 1; }

void ThreadPool::parallelFor(std::int64_t count, const std::function<void(std::int64_t)> &body) {
  if (count <= 1 || impl_->workers.empty()) {
    for (std::int64_t i = 0; i < count; ++i)
      body(i);
    return;
  }
  auto job = std::make_shared<Job>();
  job->body = &body;
  job->count = count;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->jobs.push_back(job);
  }
  impl_->wake.notify_all();
  impl_->run(*job);
  std::unique_lock lock(impl_->mutex);
  impl_->done.wait(lock, [&] { return job->finished.load(std::memory_order_acquire) == count; });
  if (auto it = std::find(impl_->jobs.begin(), impl_->jobs.end(), job); it != impl_->jobs.end()) impl_->jobs.erase(it);
  if (job->failure) std::rethrow_exception(job->failure);
}

void ThreadPool::parallelRanges(std::int64_t count, std::int64_t grain,
                                const std::function<void(std::int64_t, std::int64_t)> &body) {
  if (count <= 0) return;
  std::int64_t pieces = std::clamp<std::int64_t>(count / std::max<std::int64_t>(grain, 1), 1, 4 * threads());
  parallelFor(pieces, [&](std::int64_t i) { body(count * i / pieces, count * (i + 1) / pieces); });
}

} // namespace sd
