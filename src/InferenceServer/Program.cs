Console.WriteLine("InferenceServer");
